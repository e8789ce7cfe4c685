package session

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// answering is a connection made by promptly, after an answer that came soon: the
// next one is waited for in the kernel. The peer answers each "?", and then does as told.
func answering(t *testing.T, then func(net.Conn)) net.Conn {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		peer, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = peer.Close() }()
		for ask(peer) {
			if _, err := peer.Write([]byte("+")); err != nil {
				return
			}
		}
		then(peer)
	}()
	var dial net.Dialer
	nc, err := promptly(dial.DialContext)(context.Background(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	c := nc.(*promptConn)
	for deadline := time.Now().Add(10 * time.Second); !c.prompt; {
		if err := exchange(nc, "?"); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatal("no answer within a loopback ever came soon")
		}
	}
	return nc
}

// ask takes a question, and tells whether it is one of those before the last.
func ask(peer net.Conn) bool {
	var question [1]byte
	_, err := io.ReadFull(peer, question[:])
	return err == nil && question[0] == '?'
}

func exchange(nc net.Conn, question string) error {
	if _, err := nc.Write([]byte(question)); err != nil {
		return err
	}
	var answer [1]byte
	_, err := nc.Read(answer[:])
	return err
}

func TestAnAnswerThatIsLateAfterPromptOnesIsTaken(t *testing.T) {
	nc := answering(t, func(peer net.Conn) {
		time.Sleep(50 * soon)
		_, _ = peer.Write([]byte("+"))
	})
	if err := exchange(nc, "!"); err != nil {
		t.Error(err)
	}
	if nc.(*promptConn).prompt {
		t.Error("the connection still takes its peer for prompt")
	}
}

func TestAPromptConnectionKeepsItsDeadline(t *testing.T) {
	nc := answering(t, func(peer net.Conn) { ask(peer) })
	began := time.Now()
	if err := nc.SetReadDeadline(began.Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if err := exchange(nc, "!"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v after %v, want the deadline", err, time.Since(began))
	}
}

func TestAPromptConnectionTellsOfItsEnd(t *testing.T) {
	nc := answering(t, func(net.Conn) {})
	if err := exchange(nc, "!"); !errors.Is(err, io.EOF) {
		t.Errorf("%v when the peer hung up, want EOF", err)
	}
	nc = answering(t, func(peer net.Conn) { ask(peer) })
	time.AfterFunc(20*time.Millisecond, func() { _ = nc.Close() })
	if err := exchange(nc, "!"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v when the connection was closed here, want that", err)
	}
}

func TestOneConnectionAtATimeWaitsInTheKernel(t *testing.T) {
	nc := answering(t, func(peer net.Conn) { _, _ = peer.Write([]byte("+")) })
	c := nc.(*promptConn)
	polled := 0
	poll := c.await
	c.await = func(fd uintptr) { polled++; poll(fd) }
	if err := exchange(nc, "?"); err != nil || polled != 1 {
		t.Errorf("%d waits in the kernel, %v; want 1", polled, err)
	}
	c.prompt = true
	c.waiting.Store(true)
	if err := exchange(nc, "!"); err != nil || polled != 1 {
		t.Errorf("%d waits in the kernel while another connection waits there, %v; want 1", polled, err)
	}
}

// A subscription is read by one goroutine while others write to it.
func TestAPromptConnectionIsWrittenToWhileItIsRead(t *testing.T) {
	nc := answering(t, func(net.Conn) {})
	const questions = 100
	asked := make(chan error, 1)
	go func() {
		var err error
		for range questions {
			_, one := nc.Write([]byte("?"))
			err = errors.Join(err, one)
		}
		asked <- err
	}()
	if _, err := io.ReadFull(nc, make([]byte, questions)); err != nil {
		t.Error(err)
	}
	if err := <-asked; err != nil {
		t.Error(err)
	}
}
