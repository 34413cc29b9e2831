package sidecar

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
)

func TestACallAfterCloseFailsAndClosingAgainSucceeds(t *testing.T) {
	client := start(t)
	if client.Err() != nil {
		t.Error(client.Err())
	}
	for range 2 {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
	_, err := client.Events.Get(context.Background(), GetParams{RunName: "r1", Name: "n"})
	if !errors.Is(err, ErrClosed) || !errors.Is(err, KindClosed) {
		t.Error(err)
	}
	<-client.Done()
	if !errors.Is(client.Err(), ErrClosed) {
		t.Error(client.Err())
	}
}

func TestCloseEndsWaitsImmediatelyAndTheSidecarExitsInTime(t *testing.T) {
	client := start(t)
	create(t, client, "deploy", ExpectedTypeBool)
	wait := background(func() (*Event, error) {
		params := WaitParams{RunName: "r1", Name: "deploy", TimeoutSeconds: 3600}
		return client.Events.Wait(context.Background(), params)
	})
	awaitOpenWait(t, client)
	if err := client.Close(); err != nil { // an error would mean that it was killed
		t.Error(err)
	}
	if got := <-wait; !errors.Is(got.err, ErrClosed) || !errors.Is(got.err, KindClosed) {
		t.Errorf("%+v", got)
	}
}

func TestCloseEndsAWatch(t *testing.T) {
	client := start(t)
	var received []error
	for notification, err := range client.Events.Watch(testContext(t), WatchParams{}) {
		if _, synced := notification.(*WatchSynced); synced {
			if err := client.Close(); err != nil {
				t.Error(err)
			}
			continue
		}
		received = append(received, err)
	}
	if len(received) != 1 || !errors.Is(received[0], ErrClosed) {
		t.Errorf("%v", received)
	}
}

func TestCloseCancelsOpenEndedCallsAndAwaitsOtherResponses(t *testing.T) {
	client, fake := attachFake(t, initializeResult)
	ctx := context.Background()
	wait := background(func() (*Event, error) { return client.Events.Wait(ctx, WaitParams{RunName: "r1", Name: "n"}) })
	open := fake.expect("events.wait")
	get := background(func() (*Event, error) { return client.Events.Get(ctx, GetParams{RunName: "r1", Name: "n"}) })
	getRequest := fake.expect("events.get")
	closed := background(func() (any, error) { return nil, client.Close() })
	if got := <-wait; !errors.Is(got.err, ErrClosed) {
		t.Error(got.err)
	}
	if cancelled := fake.expect("$/cancelRequest"); string(cancelled.Params) != fmt.Sprintf(`{"id":%s}`, open.ID) {
		t.Errorf("%s is cancelled", cancelled.Params)
	}
	if _, err := fake.r.ReadByte(); err != io.EOF {
		t.Errorf("it is followed by %v", err)
	}
	fake.respondError(open, -32800, `{"kind":"request_cancelled"}`) // ignored
	fake.respond(getRequest, `{"name":"n"}`)
	fake.w.Close()
	if got := <-get; got.err != nil || got.value.Name != "n" {
		t.Errorf("%+v", got)
	}
	if got := <-closed; got.err != nil {
		t.Error(got.err)
	}
}

func TestASocketStillDeliversResponsesAfterClose(t *testing.T) {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer listener.Close()
	requested := make(chan struct{})
	served := background(func() (any, error) {
		socket, err := listener.Accept()
		if err != nil {
			return nil, err
		}
		defer socket.Close()
		lines := bufio.NewScanner(socket)
		lines.Scan()
		fmt.Fprintf(socket, `{"jsonrpc":"2.0","id":1,"result":%s}`+"\n", initializeResult)
		lines.Scan()
		lines.Scan()
		close(requested)
		for lines.Scan() { // until the client closes its writing half
		}
		_, err = fmt.Fprintln(socket, `{"jsonrpc":"2.0","id":2,"result":{"name":"n"}}`)
		return nil, err
	})
	socket := must(net.Dial("tcp", listener.Addr().String()))(t)
	client := must(Attach(testContext(t), socket, socket))(t)
	get := background(func() (*Event, error) {
		return client.Events.Get(context.Background(), GetParams{RunName: "r1", Name: "n"})
	})
	<-requested
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if got := <-get; got.err != nil || got.value.Name != "n" {
		t.Errorf("%+v", got)
	}
	if got := <-served; got.err != nil {
		t.Error(got.err)
	}
	if _, err := socket.Write(nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the socket is still open (%v)", err)
	}
}

// failingWriter fails once failure is set.
type failingWriter struct {
	io.WriteCloser
	failure error
}

func (w *failingWriter) Write(data []byte) (int, error) {
	if w.failure != nil {
		return 0, w.failure
	}
	return w.WriteCloser.Write(data)
}

func TestAFailedWriteEndsTheConnectionEvenIfTheReaderCannotBeClosed(t *testing.T) {
	t.Parallel()
	requests, clientWriter := io.Pipe()
	clientReader, responses := io.Pipe()
	defer responses.Close()
	initialized := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(requests)
		lines.Scan()
		fmt.Fprintf(responses, `{"jsonrpc":"2.0","id":1,"result":%s}`+"\n", initializeResult)
		lines.Scan()
		close(initialized)
	}()
	full := errors.New("full")
	w := &failingWriter{WriteCloser: clientWriter}
	client := must(Attach(testContext(t), struct{ io.Reader }{clientReader}, w))(t)
	<-initialized
	w.failure = full
	_, err := client.Events.Get(context.Background(), GetParams{RunName: "r1", Name: "n"})
	if !errors.Is(err, KindDisconnected) || !errors.Is(err, full) {
		t.Error(err)
	}
	<-client.Done()
}

func TestNothingIsSentAfterTheEndOfTheOutput(t *testing.T) {
	client, fake := attachFake(t, initializeResult)
	fake.send("garbage")
	<-client.connection.eof
	_, err := client.Events.Get(context.Background(), GetParams{RunName: "r1", Name: "n"})
	if !errors.Is(err, KindDisconnected) {
		t.Error(err)
	}
	if line, err := fake.r.ReadString('\n'); err != io.EOF {
		t.Errorf("%q is sent (%v)", line, err)
	}
}
