package harness

import (
	"slices"
	"testing"
)

func TestCheckAccess(t *testing.T) {
	list := Access{"list", "", "services", ""}
	watch := Access{"watch", "apps", "things/status", "home"}
	for _, test := range []struct {
		name          string
		granted, used []Access
		faults        []string
	}{
		{"the same", []Access{list, watch}, []Access{list, watch}, nil},
		{"one namespace of all", []Access{list}, []Access{{"list", "", "services", "home"}}, nil},
		{"too much", []Access{list, watch}, []Access{list}, []string{"granted and not used: watch things/status.apps in home"}},
		{"too little", []Access{list}, []Access{list, watch}, []string{"used and not granted: watch things/status.apps in home"}},
		{"another namespace", []Access{watch}, []Access{watch, {"watch", "apps", "things/status", "away"}},
			[]string{"used and not granted: watch things/status.apps in away"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var faults []string
			for _, err := range CheckAccess(set(test.granted), set(test.used)) {
				faults = append(faults, err.Error())
			}
			if !slices.Equal(faults, test.faults) {
				t.Errorf("have %v, want %v", faults, test.faults)
			}
		})
	}
}

func set(items []Access) map[Access]bool {
	made := map[Access]bool{}
	for _, item := range items {
		made[item] = true
	}
	return made
}
