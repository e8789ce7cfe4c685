// Package bench measures what a message and an idle connection cost, beside the plainest server that does the same.
//
// Every figure is a ratio of medians from one run on one machine: the servers take turns, round by round, so that what
// else the machine does hits all of them. The load comes from a process of its own (load.go), which checks every reply.
package bench
