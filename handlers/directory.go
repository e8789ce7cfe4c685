package handlers

import (
	"maps"
	"slices"
	"sync"
)

// directory finds this process's connections by session and by group. Only those
// that a handler is told of are in it.
type directory struct {
	mu       sync.RWMutex
	sessions map[string]*Peer // the newest connection of each
	groups   map[string]map[*Peer]struct{}
}

func newDirectory() *directory {
	return &directory{sessions: map[string]*Peer{}, groups: map[string]map[*Peer]struct{}{}}
}

func (d *directory) enter(p *Peer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sessions[p.SessionID()] = p
}

// exit takes the peer out of everything.
func (d *directory) exit(p *Peer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p.gone = true
	if d.sessions[p.SessionID()] == p {
		delete(d.sessions, p.SessionID())
	}
	for _, group := range p.groups {
		d.remove(group, p)
	}
	p.groups = nil
}

func (d *directory) join(group string, p *Peer) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case p.gone:
		return ErrGone
	case slices.Contains(p.groups, group):
		return nil
	case len(p.groups) == maxGroups:
		return ErrTooManyGroups
	}
	p.groups = append(p.groups, group)
	if d.groups[group] == nil {
		d.groups[group] = map[*Peer]struct{}{}
	}
	d.groups[group][p] = struct{}{}
	return nil
}

func (d *directory) leave(group string, p *Peer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p.groups = slices.DeleteFunc(p.groups, func(g string) bool { return g == group })
	d.remove(group, p)
}

func (d *directory) remove(group string, p *Peer) {
	delete(d.groups[group], p)
	if len(d.groups[group]) == 0 {
		delete(d.groups, group)
	}
}

func (d *directory) session(id string) (*Peer, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	p, ok := d.sessions[id]
	return p, ok
}

// members is a copy: nothing is sent under the lock.
func (d *directory) members(group string) []*Peer {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Collect(maps.Keys(d.groups[group]))
}
