package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"headgate.dev/e2e/apistub"
	"headgate.dev/e2e/harness"
)

// lists are the kinds that a cold start reads N objects of.
var lists = []string{
	"/apis/networking.k8s.io/v1/ingresses", "/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices",
}

// pageSize is the controller's.
const pageSize = 500

// listing is how long the API server takes for the lists of a cold start, all at
// once, when nobody looks at what comes: a part of the cold start that isn't the
// controller's.
func (w *world) listing(t harness.TB) time.Duration {
	client := w.stub.Client()
	begun := time.Now()
	errs := make(chan error, len(lists))
	for _, path := range lists {
		go func() { errs <- readList(client, w.stub.URL+path) }()
	}
	for range lists {
		if err := <-errs; err != nil {
			t.Fatalf("listing: %v", err)
		}
	}
	w.stub.Reset()
	return time.Since(begun)
}

func readList(client *http.Client, path string) error {
	for next := ""; ; {
		request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("%s?limit=%d&continue=%s", path, pageSize, url.QueryEscape(next)), nil)
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+apistub.DefaultToken)
		answer, err := client.Do(request)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: status %d, %w", path, answer.StatusCode, err)
		}
		if next = continueToken(text); next == "" {
			return nil
		}
	}
}

// continueToken reads what stands in front of the objects, and not these.
func continueToken(text []byte) string {
	head, _, _ := bytes.Cut(text, []byte(`"items":`))
	_, after, _ := bytes.Cut(head, []byte(`"continue":"`))
	token, _, _ := bytes.Cut(after, []byte(`"`))
	return string(token)
}
