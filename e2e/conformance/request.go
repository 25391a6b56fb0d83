package conformance

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// A Request is a line of the notation that the table and docs/ingress.md share:
//
//	GET http://foo.bar.com/foo              -> service1
//	POST https://foo.bar.com/foo?x=1        -> other-namespace/service1
//	GET http://foo.bar.com:8080/            -> 404
//	GET http://foo.bar.com/                 -> 308 https://foo.bar.com/
//	GET http://foo.bar.com/ host=other.test -> service2
//	GET https://a.test/ sni=b.test          -> service1, certificate b.test
//	100 x GET http://foo.bar.com/           -> service1, every pod
//	GET http://foo.bar.com/                 -> service1, headers Content-Type Date
//	GET http://foo.bar.com/                 -> 10.244.9.1
//	GET http://a.test/ header=X-Real-IP:::1 -> service1, sees X-Real-IP= X-Forwarded-For=<client>
//
// A line that begins with STATUS asks the API server instead: for the addresses in
// the status of an Ingress, in any order, or none.
//
//	STATUS some-ingress                     -> 10.244.250.26 10.244.250.34
//	STATUS other-namespace/some-ingress     -> none
//
// The left side is what is sent: method, path and Host header byte for byte as
// they are written. Options stand between the URL and the arrow:
//
//	host=TEXT     this Host header; an empty one is sent empty
//	target=TEXT   this request target
//	version=1.0   HTTP/1.0, without a Host header unless host= is there
//	sni=NAME      this name in the TLS handshake; an empty one sends none
//	header=NAME:VALUE   this header, too
//
// The right side is a Service, one of whose pods has to answer 200 and to have
// seen method, path, query and Host as they were sent; or the address of a pod, where
// a row writes the EndpointSlices itself; or a status that
// Headgate answers itself, with the Location if it is a redirect; "400|404" is one
// of two. What the pod sees of a header is all its values, joined by commas; nothing
// is a header that isn't there, and <client> the address that the request came from.
type Request struct {
	Text string // as written

	Ingress string // namespace/name: its status is wanted, and nothing else of this
	Times   int
	Method  string
	IsTLS   bool
	Target  string // path and query
	Host    string
	HasHost bool
	Version string // "1.1", "1.0"
	SNI     string
	Sends   []string // NAME:VALUE, further headers

	Service     string // namespace/name, or "" when a status is wanted
	Pod         string // the address of the one pod that may answer, or ""
	Statuses    []int
	Location    string
	EveryPod    bool
	Protocol    string   // that the pod has to have been asked in, "HTTP/2.0"
	Headers     []string // that the answer has to have
	Sees        []string // NAME=VALUE, headers that the pod has to have seen
	Addresses   []string // in the status of Ingress
	Certificate string   // a name that the certificate has to be for; "" = the host, verified
}

// ParseRequests reads one request a line; empty lines and those that begin with
// '#' are left out. Services without a namespace are of this one.
func ParseRequests(text, namespace string) ([]Request, error) {
	var requests []Request
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		request, err := parseRequest(line, namespace)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		requests = append(requests, request)
	}
	return requests, nil
}

func parseRequest(line, namespace string) (Request, error) {
	r := Request{Text: strings.Join(strings.Fields(line), " "), Times: 1, HasHost: true, Version: "1.1"}
	left, right, ok := strings.Cut(line, "->")
	if !ok {
		return r, fmt.Errorf("no '->'")
	}
	words := strings.Fields(left)
	if len(words) > 2 && words[1] == "x" {
		n, err := strconv.Atoi(words[0])
		if err != nil {
			return r, err
		}
		r.Times, words = n, words[2:]
	}
	if len(words) == 2 && words[0] == "STATUS" {
		return parseStatus(r, words[1], right, namespace), nil
	}
	if len(words) < 2 {
		return r, fmt.Errorf("no method and URL before '->'")
	}
	r.Method = words[0]
	if err := r.parseURL(words[1]); err != nil {
		return r, err
	}
	for _, word := range words[2:] {
		if err := r.parseOption(word); err != nil {
			return r, err
		}
	}
	return r, r.parseAnswer(strings.TrimSpace(right), namespace)
}

func parseStatus(r Request, name, right, namespace string) Request {
	if r.Ingress = name; !strings.Contains(name, "/") {
		r.Ingress = namespace + "/" + name
	}
	for _, address := range strings.Fields(right) {
		if address != "none" {
			r.Addresses = append(r.Addresses, address)
		}
	}
	return r
}

// parseURL keeps the bytes: net/url would clean them.
func (r *Request) parseURL(url string) error {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok || (scheme != "http" && scheme != "https") {
		return fmt.Errorf("%q is no http or https URL", url)
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		rest, end = rest+"/", len(rest)
	}
	r.IsTLS, r.Host, r.Target = scheme == "https", rest[:end], rest[end:]
	r.SNI = hostName(r.Host)
	return nil
}

// hostName is a Host header as a client would give it to TLS.
func hostName(host string) string {
	name := strings.ToLower(host)
	if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.HasSuffix(name, "]") {
		name = name[:i]
	}
	return strings.TrimSuffix(name, ".")
}

func (r *Request) parseOption(word string) error {
	key, value, _ := strings.Cut(word, "=")
	switch key {
	case "host":
		r.Host, r.HasHost = value, true
	case "target":
		r.Target = value
	case "version":
		r.Version, r.HasHost = value, value != "1.0"
	case "sni":
		r.SNI = value
	case "header":
		r.Sends = append(r.Sends, value)
	default:
		return fmt.Errorf("no option %q", key)
	}
	return nil
}

func (r *Request) parseAnswer(text, namespace string) error {
	parts := strings.Split(text, ",")
	words := strings.Fields(parts[0])
	switch {
	case len(words) == 0:
		return fmt.Errorf("nothing after '->'")
	case isStatus(words[0]):
		for _, word := range strings.Split(words[0], "|") {
			status, err := strconv.Atoi(word)
			if err != nil {
				return fmt.Errorf("%q is no status", word)
			}
			r.Statuses = append(r.Statuses, status)
		}
		if len(words) > 1 {
			r.Location = words[1]
		}
	case net.ParseIP(words[0]) != nil:
		r.Service, r.Pod = "pod", words[0]
	case strings.Contains(words[0], "/"):
		r.Service = words[0]
	default:
		r.Service = namespace + "/" + words[0]
	}
	for _, part := range parts[1:] {
		words := strings.Fields(part)
		switch {
		case strings.TrimSpace(part) == "every pod":
			r.EveryPod = true
		case len(words) == 2 && words[0] == "certificate":
			r.Certificate = words[1]
		case len(words) == 2 && words[0] == "protocol":
			r.Protocol = words[1]
		case len(words) > 1 && words[0] == "headers":
			r.Headers = words[1:]
		case len(words) > 1 && words[0] == "sees":
			r.Sees = words[1:]
		default:
			return fmt.Errorf("can't expect %q", strings.TrimSpace(part))
		}
	}
	return nil
}

func isStatus(word string) bool {
	return len(word) >= 3 && strings.Trim(word, "0123456789|") == ""
}
