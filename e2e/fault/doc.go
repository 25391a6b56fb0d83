// Package fault breaks something of a running site (the API server or the way to
// it, the controller, HAProxy, their connection, the disk, a token) under traffic,
// and demands that no request fails and that everything is as it should be soon
// after.
package fault
