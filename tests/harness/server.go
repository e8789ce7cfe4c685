package harness

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	startWithin   = 15 * time.Second // a race build on a busy machine
	requestWithin = 10 * time.Second
)

// Env is what a server is started with besides the harness's own HOST and PORT.
type Env map[string]string

// Server is one running `baton serve`.
type Server struct {
	*Process
	Addr string // host:port
	t    testing.TB
}

// Start runs the server and waits until it is ready.
func Start(t testing.TB, env Env) *Server {
	t.Helper()
	s := StartUnready(t, env)
	s.WaitReady()
	return s
}

// StartUnready runs the server and waits only until it answers.
func StartUnready(t testing.TB, env Env) *Server {
	t.Helper()
	return StartOn(t, FreePort(t), env)
}

// StartOn runs the server on a given port, as a restarted one has to, and waits until it answers.
func StartOn(t testing.TB, port int, env Env) *Server {
	t.Helper()
	vars := Env{"HOST": "127.0.0.1", "PORT": strconv.Itoa(port)}
	for name, value := range env {
		vars[name] = value
	}
	s := &Server{t: t, Addr: fmt.Sprintf("127.0.0.1:%d", port)}
	s.Process = Run(t, Command{Path: Binary(t), Env: environ(vars)})
	Eventually(t, startWithin, "the server answers /healthz", func() bool {
		if !s.Alive() {
			t.Fatalf("the server ended with %d at start: %s", s.Exit(t, time.Second), s.Stderr())
		}
		status, _ := s.poll("/healthz")
		return status == http.StatusOK
	})
	return s
}

// WaitReady waits until /readyz answers 200.
func (s *Server) WaitReady() {
	s.t.Helper()
	Eventually(s.t, startWithin, "the server is ready", func() bool {
		status, _ := s.poll("/readyz")
		return status == http.StatusOK
	})
}

// WaitNotReady waits until /readyz answers 503 and returns its body.
func (s *Server) WaitNotReady() string {
	s.t.Helper()
	var body string
	Eventually(s.t, startWithin, "the server is not ready", func() bool {
		var status int
		status, body = s.poll("/readyz")
		return status == http.StatusServiceUnavailable
	})
	return body
}

// Terminate sends SIGTERM.
func (s *Server) Terminate() { s.Signal(syscall.SIGTERM) }

// Answer is an HTTP answer, read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Get asks for a path.
func (s *Server) Get(path string, header ...string) Answer {
	s.t.Helper()
	return s.Request(http.MethodGet, path, header...)
}

// Request sends a request with header lines `Name: value`.
func (s *Server) Request(method, path string, header ...string) Answer {
	s.t.Helper()
	request, err := http.NewRequest(method, "http://"+s.Addr+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		request.Header.Add(name, value)
	}
	answer, err := do(request)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer
}

// JSON decodes the body, which has to be one JSON object.
func (a Answer) JSON(t testing.TB) map[string]any {
	t.Helper()
	if kind := a.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		t.Errorf("Content-Type is %q, want application/json (body %q)", kind, a.Body)
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(a.Body), &object); err != nil {
		t.Fatalf("not JSON: %q: %v", a.Body, err)
	}
	return object
}

// ErrorCode checks that the body is {"error":{"code","message"}} and nothing else, and returns the code.
func (a Answer) ErrorCode(t testing.TB) string {
	t.Helper()
	object := a.JSON(t)
	failure, ok := object["error"].(map[string]any)
	if !ok || len(object) != 1 || len(failure) != 2 {
		t.Fatalf("error shape: %q", a.Body)
	}
	code, _ := failure["code"].(string)
	if message, _ := failure["message"].(string); code == "" || message == "" {
		t.Fatalf("error without code or message: %q", a.Body)
	}
	return code
}

func (s *Server) poll(path string) (int, string) {
	request, err := http.NewRequest(http.MethodGet, "http://"+s.Addr+path, nil)
	if err != nil {
		return 0, ""
	}
	answer, err := do(request)
	if err != nil {
		return 0, ""
	}
	return answer.Status, answer.Body
}

// do uses a connection of its own each time: an idle kept one would be another thing the server has to close.
func do(request *http.Request) (Answer, error) {
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		Timeout:       requestWithin,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return Answer{}, err
	}
	return Answer{Status: response.StatusCode, Header: response.Header, Body: string(body)}, nil
}

// environ keeps what a process needs to run and nothing that would configure it behind the test's back.
func environ(vars Env) []string {
	list := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "GOTRACEBACK=all"}
	for name, value := range vars {
		list = append(list, name+"="+value)
	}
	return list
}
