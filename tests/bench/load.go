//go:build linux

package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// order is what the load process is told, as JSON in its environment.
type order struct {
	Port     int
	Clients  int
	First    int  // the number of the first client: no two processes have one of the same number
	InFlight int  // messages each client has on the way; 0: the clients only hold their connections
	Watch    bool // time the heartbeats and closes of held connections
	Warm     time.Duration
	Measure  time.Duration
	Wire     wire
	Groups   [][]int // of processes whose CPU time to measure, a sum each
}

// yield is what the load process reports, as JSON on its standard output.
type yield struct {
	Messages int
	Elapsed  time.Duration
	CPU      []time.Duration // of each group
	P50, P99 time.Duration
}

const (
	maxEvents  = 512
	openAtOnce = 64 // handshakes on their way
)

// load is many clients on one thread: one epoll loop, frames masked beforehand, so that it takes little of the machine.
type load struct {
	order   order
	epoll   int
	clients []*client // by their descriptor
	began   time.Time
	times   *latencies
	counted int
}

// runLoad carries out an order: to a measurement, or until standard input ends.
func runLoad(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return fmt.Errorf("order %q: %w", text, err)
	}
	l := &load{order: o, times: &latencies{}, began: time.Now()}
	if err := l.connect(); err != nil {
		return err
	}
	if o.Watch {
		return l.watch(l.now())
	}
	if o.InFlight == 0 {
		fmt.Println("{}")
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	}
	report, err := l.measure()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(report)
}

func (l *load) connect() error {
	var err error
	if l.epoll, err = syscall.EpollCreate1(0); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	var opening []*client
	for i := range l.order.Clients {
		c, err := dial(l.order, l.order.First+i)
		if err != nil {
			return fmt.Errorf("client %d: %w", i, err)
		}
		if opening = append(opening, c); len(opening) == openAtOnce || i == l.order.Clients-1 {
			if err := l.admit(opening); err != nil {
				return err
			}
			opening = opening[:0]
		}
	}
	return nil
}

// admit takes the answers to handshakes that are on their way.
func (l *load) admit(opening []*client) error {
	for _, c := range opening {
		if err := c.shaken(l.order.Wire); err != nil {
			return fmt.Errorf("client %d: %w", c.number, err)
		}
		l.clients = append(l.clients, make([]*client, max(c.fd+1-len(l.clients), 0))...)
		l.clients[c.fd] = c
		event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(c.fd)}
		if err := syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_ADD, c.fd, &event); err != nil {
			return fmt.Errorf("epoll add: %w", err)
		}
	}
	return nil
}

// measure keeps every client's messages on the way, and counts once it is warm.
func (l *load) measure() (yield, error) {
	for _, c := range l.clients {
		if c == nil { // a descriptor that is no client's
			continue
		}
		if err := c.send(l.order.InFlight, l.now()); err != nil {
			return yield{}, err
		}
	}
	if err := l.turn(l.now() + l.order.Warm); err != nil {
		return yield{}, err
	}
	before, err := l.cpu()
	if err != nil {
		return yield{}, err
	}
	l.counted, *l.times = 0, latencies{}
	start := l.now()
	if err := l.turn(start + l.order.Measure); err != nil {
		return yield{}, err
	}
	report := yield{Messages: l.counted, Elapsed: l.now() - start, P50: l.times.quantile(0.5), P99: l.times.quantile(0.99)}
	report.CPU, err = l.cpu()
	for i := range report.CPU {
		report.CPU[i] -= before[i]
	}
	return report, err
}

// turn answers each reply with the next message until a time.
func (l *load) turn(until time.Duration) error {
	events := make([]syscall.EpollEvent, maxEvents)
	for {
		n, err := syscall.EpollWait(l.epoll, events, 100)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("epoll wait: %w", err)
		}
		now := l.now()
		if now > until {
			return nil
		}
		for _, event := range events[:max(n, 0)] {
			c := l.clients[event.Fd]
			replies, err := c.receive(now, l.times)
			if err != nil {
				return err
			}
			l.counted += replies
			if err := c.send(replies, now); err != nil {
				return err
			}
		}
	}
}

func (l *load) now() time.Duration { return time.Since(l.began) }

func (l *load) cpu() ([]time.Duration, error) {
	var all []time.Duration
	for _, pids := range l.order.Groups {
		used, err := cpuTime(pids...)
		if err != nil {
			return nil, err
		}
		all = append(all, used)
	}
	return all, nil
}
