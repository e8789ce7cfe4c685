package fake

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/google/uuid"
)

// Step is a place on a connection's way where a Script may interfere.
type Step string

// The steps, in their order.
const (
	Handshake Step = "handshake" // before the claim
	Claimed   Step = "claimed"   // before the 101
	Opened    Step = "opened"    // before the session message
	Greeted   Step = "greeted"   // after it
	Received  Step = "received"  // a message was read, and is not counted
	Counted   Step = "counted"   // and is not replied to
	Replied   Step = "replied"
)

// Moment is one step of one connection.
type Moment struct {
	Step    Step
	Number  int // handshakes of this server, from 1
	Message int // of this connection, from 1; 0 before the first
	Conn    *Conn
}

// Script interferes; a returned Action other than Pass ends the connection.
type Script func(m Moment) Action

// Action is what happens instead of the next step.
type Action struct {
	cut        bool
	closeCode  int
	status     int
	retryAfter string
	code       string
}

// Pass lets things go on.
var Pass = Action{}

// Drop cuts the socket.
func Drop() Action { return Action{cut: true} }

// Close ends the connection with this code.
func Close(code int) Action { return Action{closeCode: code} }

// Refuse answers a handshake with an HTTP error.
func Refuse(status int, code, retryAfter string) Action {
	return Action{status: status, code: code, retryAfter: retryAfter}
}

// Server is one process of the fake service.
type Server struct {
	URL   string // ws://127.0.0.1:…/ws/chat/
	Addr  string
	Color string
	Store *Store

	// Script interferes with every step; nil lets all pass.
	Script Script
	// Ended is told the number of each connection that is over; nil tells nobody.
	Ended func(number int)
	// CountTwice counts every message two times, and says so.
	CountTwice bool
	// AnswerFirst replies before it stores, which it does when the client
	// leaves; Kill loses it.
	AnswerFirst bool
	// IgnoreEvery nth message of a connection is neither counted nor replied to.
	IgnoreEvery int
	// Heartbeats adds a heartbeat before each reply.
	Heartbeats bool

	http  *httptest.Server
	mu    sync.Mutex
	conns map[*Conn]struct{}
	seen  int
	gone  bool

	messages atomic.Int64
	alive    sync.WaitGroup
}

// Start runs server on a free port until the test ends.
func Start(t testing.TB, server *Server) *Server {
	t.Helper()
	if server.Store == nil {
		server.Store = NewStore()
	}
	if server.Color == "" {
		server.Color = "blue"
	}
	server.conns = map[*Conn]struct{}{}
	mux := http.NewServeMux()
	mux.HandleFunc("/ws/chat/", server.chat)
	server.http = httptest.NewServer(mux)
	server.Addr = server.http.Listener.Addr().String()
	server.URL = "ws://" + server.Addr + "/ws/chat/"
	t.Cleanup(server.stop)
	return server
}

// Kill cuts every connection, as a process does that is killed. New
// handshakes are taken, as by the one that comes after it.
func (s *Server) Kill() {
	for _, c := range s.open() {
		c.killed.Store(true)
		c.drop()
	}
}

// Drain asks every client to move within a time, and closes 1001 after another.
func (s *Server) Drain(within, closing time.Duration) {
	for _, c := range s.open() {
		c.Send(fmt.Sprintf(`{"type":"reconnect","within_ms":%d}`, within.Milliseconds()))
		time.AfterFunc(closing, func() { c.bye(websocket.CloseGoingAway) })
	}
}

// Handshakes is how many were tried.
func (s *Server) Handshakes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// Messages is how many were read.
func (s *Server) Messages() int { return int(s.messages.Load()) }

// RefuseAll kills the server for good: handshakes are cut from now on.
func (s *Server) RefuseAll() {
	s.mu.Lock()
	s.gone = true
	s.mu.Unlock()
	s.Kill()
}

// Connections is how many are open.
func (s *Server) Connections() int { return len(s.open()) }

func (s *Server) open() []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Conn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	return all
}

func (s *Server) stop() {
	s.Kill()
	s.http.CloseClientConnections()
	s.http.Close()
	s.alive.Wait()
}

func (s *Server) chat(w http.ResponseWriter, r *http.Request) {
	s.alive.Add(1)
	defer s.alive.Done()
	c := &Conn{server: s, Session: strings.ToLower(r.URL.Query().Get("session_id"))}
	if c.Session == "" {
		c.Session = uuid.NewString()
	}
	s.mu.Lock()
	s.seen++
	c.number = s.seen
	gone := s.gone
	s.mu.Unlock()
	if gone {
		hijack(w)
		return
	}
	if !c.shake(w, r) {
		return
	}
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	c.serve()
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	if s.Ended != nil {
		s.Ended(c.number)
	}
}

func (s *Server) ask(step Step, c *Conn) Action {
	if s.Script == nil {
		return Pass
	}
	return s.Script(Moment{Step: step, Number: c.number, Message: c.messages, Conn: c})
}

func attemptOf(r *http.Request) uint64 {
	attempt, _ := strconv.ParseUint(r.URL.Query().Get("attempt"), 10, 64)
	return attempt
}

func refuse(w http.ResponseWriter, a Action) {
	if a.retryAfter != "" {
		w.Header().Set("Retry-After", a.retryAfter)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = fmt.Fprintf(w, `{"error":{"code":%q,"message":"said the fake"}}`, a.code)
}

func hijack(w http.ResponseWriter) {
	if socket, _, err := w.(http.Hijacker).Hijack(); err == nil {
		reset(socket)
	}
}

func reset(socket net.Conn) {
	if tcp, ok := socket.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = socket.Close()
}
