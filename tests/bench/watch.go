//go:build linux

package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

const opClose = 0x88

// seen is what a watching load process saw until its standard input ended, as JSON on its standard output.
type seen struct {
	Beats  map[string]*beat // by the heartbeat's ts
	Closed map[int]int      // close frames by their code
	Hung   int              // connections that ended without one

	last string // heartbeat: most are the same as the one before, and are read at once
	sent time.Time
	beat *beat
}

// beat is one heartbeat at all connections of a process.
type beat struct {
	Count int
	Last  time.Duration // after its ts
}

// opened is the first line of a watching process: how long its handshakes took together.
type opened struct{ Took time.Duration }

// watch holds the connections and times what comes.
func (l *load) watch(took time.Duration) error {
	if err := json.NewEncoder(os.Stdout).Encode(opened{took}); err != nil {
		return err
	}
	var over atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // its end is the message
		over.Store(true)
	}()
	all := seen{Beats: map[string]*beat{}, Closed: map[int]int{}}
	events, buffer := make([]syscall.EpollEvent, maxEvents), make([]byte, readBuffer)
	for !over.Load() {
		n, err := syscall.EpollWait(l.epoll, events, 100)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("epoll wait: %w", err)
		}
		for _, event := range events[:max(n, 0)] {
			if err := all.read(l.clients[event.Fd], buffer); err != nil {
				return err
			}
		}
	}
	return json.NewEncoder(os.Stdout).Encode(all)
}

// read takes what came to one connection; an idle one's frames are small and come whole.
func (s *seen) read(c *client, buffer []byte) error {
	n, err := read(c.fd, buffer)
	if errors.Is(err, syscall.EAGAIN) {
		return nil
	}
	now, data, parted := time.Now(), buffer[:max(n, 0)], false
	for len(data) > 0 {
		first, payload, size := cut(data)
		switch {
		case size == 0:
			return fmt.Errorf("part of a frame: %q", data)
		case first == opClose && len(payload) >= 2:
			s.Closed[int(payload[0])<<8|int(payload[1])]++
			parted = true
		case first == opText:
			if err := s.heartbeat(payload, now); err != nil {
				return err
			}
		default:
			return fmt.Errorf("frame %#x %q", first, payload)
		}
		data = data[size:]
	}
	if parted || n <= 0 {
		if !parted {
			s.Hung++
		}
		return syscall.Close(c.fd)
	}
	return nil
}

func (s *seen) heartbeat(payload []byte, now time.Time) error {
	if string(payload) != s.last {
		if err := s.newBeat(payload); err != nil {
			return err
		}
	}
	s.beat.Count++
	s.beat.Last = max(s.beat.Last, now.Sub(s.sent))
	return nil
}

func (s *seen) newBeat(payload []byte) error {
	var message struct{ Type, TS string }
	if err := json.Unmarshal(payload, &message); err != nil || message.Type != "heartbeat" {
		return fmt.Errorf("no heartbeat: %q", payload)
	}
	sent, err := time.Parse(time.RFC3339, message.TS)
	if err != nil {
		return err
	}
	if s.Beats[message.TS] == nil {
		s.Beats[message.TS] = &beat{}
	}
	s.last, s.sent, s.beat = string(payload), sent, s.Beats[message.TS]
	return nil
}
