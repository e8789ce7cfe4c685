package hostile

import (
	"errors"
	"net"
	"testing"

	"baton/tests/harness"
)

// peer is a hostile client's connection.
type peer struct{ *harness.Peer }

// opens a connection if the server takes it.
func opens(s *harness.Server, h harness.Handshake) *peer {
	p, _, err := h.Open(s.Addr)
	if err != nil || p == nil {
		return nil
	}
	return &peer{p}
}

// wrote tells whether the connection still takes bytes.
func (p *peer) wrote(wire []byte) bool {
	_, err := p.Write(wire)
	return err == nil
}

// dial opens a TCP connection from the attacker's address.
func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	socket, err := dialFrom(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	return socket
}

func dialFrom(addr string) (net.Conn, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(attacker)}, Timeout: waitFor}
	return dialer.Dial("tcp", addr)
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
