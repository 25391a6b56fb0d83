// Package crash strikes at a random operation of a random pass: the controller or
// HAProxy is killed, their connection is cut in the middle of a command or of an
// answer, or the state can't be written any more. Each time, HAProxy has to end up
// with exactly what a new controller gives to a new HAProxy, on disk as well, and
// routes that work before and after have to work all the time.
package crash
