package conformance

// A Row is a sentence of the specification, objects that it speaks of, and the
// answers that follow from it.
type Row struct {
	Place    string   // where the specification says so; "API" stands for the API reference
	Says     string   // what it says, in our words
	Options  []string // of controllers that are started for this row
	Objects  string   // see ParseObjects
	Requests string   // see Request
	Refused  string   // the API server takes all objects but the last, of which it says this
	Then     []Step   // what happens next
}

// A Step changes what a row has made.
type Step struct {
	Says     string
	Younger  bool   // what is applied here must be younger by the API server's clock
	Apply    string // objects, made or changed
	Delete   string // objects, of which only names matter
	Requests string
	Refused  string // the API server refuses the last of Apply, and says this
}

// tables are all rows by subject.
var tables = []struct {
	name string
	rows []Row
}{
	{"Resource", resourceRows},
	{"Hosts", hostRows},
	{"Paths", pathRows},
	{"DefaultBackend", defaultRows},
	{"Class", classRows},
	{"Backends", backendRows},
	{"Types", typeRows},
	{"TLS", tlsRows},
	{"Status", statusRows},
	{"Suite", suiteRows},
}
