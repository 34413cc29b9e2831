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

func TestACallAfterCloseIsAnErrorAndClosingAgainIsNone(t *testing.T) {
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

func TestClosingEndsWaitsAtOnceAndTheSidecarInGoodTime(t *testing.T) {
	client := start(t)
	create(t, client, "deploy", ExpectedTypeBool)
	wait := background(func() (*Event, error) {
		params := WaitParams{RunName: "r1", Name: "deploy", TimeoutSeconds: 3600}
		return client.Events.Wait(context.Background(), params)
	})
	waiting(t, client)
	if err := client.Close(); err != nil { // it was not killed
		t.Error(err)
	}
	if got := <-wait; !errors.Is(got.err, ErrClosed) || !errors.Is(got.err, KindClosed) {
		t.Errorf("%+v", got)
	}
}

func TestAWatchEndsWithTheClient(t *testing.T) {
	client := start(t)
	var told []error
	for notice, err := range client.Events.Watch(limited(t), WatchParams{}) {
		if _, synced := notice.(*WatchSynced); synced {
			if err := client.Close(); err != nil {
				t.Error(err)
			}
			continue
		}
		told = append(told, err)
	}
	if len(told) != 1 || !errors.Is(told[0], ErrClosed) {
		t.Errorf("%v", told)
	}
}

func TestClosingCancelsWhatStaysOpenAndLetsTheRestBeAnswered(t *testing.T) {
	client, player := play(t, hello)
	ctx := context.Background()
	wait := background(func() (*Event, error) { return client.Events.Wait(ctx, WaitParams{RunName: "r1", Name: "n"}) })
	open := player.expect("events.wait")
	get := background(func() (*Event, error) { return client.Events.Get(ctx, GetParams{RunName: "r1", Name: "n"}) })
	asked := player.expect("events.get")
	closed := background(func() (any, error) { return nil, client.Close() })
	if got := <-wait; !errors.Is(got.err, ErrClosed) {
		t.Error(got.err)
	}
	if cancelled := player.expect("$/cancelRequest"); string(cancelled.Params) != fmt.Sprintf(`{"id":%s}`, open.ID) {
		t.Errorf("%s is cancelled", cancelled.Params)
	}
	if _, err := player.r.ReadByte(); err != io.EOF {
		t.Errorf("after it comes %v", err)
	}
	player.refuse(open, -32800, `{"kind":"request_cancelled"}`) // nobody's
	player.answer(asked, `{"name":"n"}`)
	player.w.Close()
	if got := <-get; got.err != nil || got.value.Name != "n" {
		t.Errorf("%+v", got)
	}
	if got := <-closed; got.err != nil {
		t.Error(got.err)
	}
}

func TestASocketThatIsBothEndsBringsItsLastAnswersAfterClose(t *testing.T) {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer listener.Close()
	asked := make(chan struct{})
	served := background(func() (any, error) {
		socket, err := listener.Accept()
		if err != nil {
			return nil, err
		}
		defer socket.Close()
		lines := bufio.NewScanner(socket)
		lines.Scan()
		fmt.Fprintf(socket, `{"jsonrpc":"2.0","id":1,"result":%s}`+"\n", hello)
		lines.Scan()
		lines.Scan()
		close(asked)
		for lines.Scan() { // until the client ends its input
		}
		_, err = fmt.Fprintln(socket, `{"jsonrpc":"2.0","id":2,"result":{"name":"n"}}`)
		return nil, err
	})
	socket := must(net.Dial("tcp", listener.Addr().String()))(t)
	client := must(Attach(limited(t), socket, socket))(t)
	get := background(func() (*Event, error) {
		return client.Events.Get(context.Background(), GetParams{RunName: "r1", Name: "n"})
	})
	<-asked
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
		t.Errorf("the socket is left open (%v)", err)
	}
}

// mute is a writer that fails when it is told to.
type mute struct {
	io.WriteCloser
	failure error
}

func (m *mute) Write(data []byte) (int, error) {
	if m.failure != nil {
		return 0, m.failure
	}
	return m.WriteCloser.Write(data)
}

func TestAWriteThatFailsEndsTheConnectionThoughItsReaderCannotBeClosed(t *testing.T) {
	t.Parallel()
	requests, toPlayer := io.Pipe()
	replies, fromPlayer := io.Pipe()
	defer fromPlayer.Close()
	greeted := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(requests)
		lines.Scan()
		fmt.Fprintf(fromPlayer, `{"jsonrpc":"2.0","id":1,"result":%s}`+"\n", hello)
		lines.Scan()
		close(greeted)
	}()
	full := errors.New("full")
	w := &mute{WriteCloser: toPlayer}
	client := must(Attach(limited(t), struct{ io.Reader }{replies}, w))(t)
	<-greeted
	w.failure = full
	_, err := client.Events.Get(context.Background(), GetParams{RunName: "r1", Name: "n"})
	if !errors.Is(err, KindDisconnected) || !errors.Is(err, full) {
		t.Error(err)
	}
	<-client.Done()
}

func TestNothingIsSentOnceNothingIsRead(t *testing.T) {
	client, player := play(t, hello)
	player.send("garbage")
	<-client.connection.read
	_, err := client.Events.Get(context.Background(), GetParams{RunName: "r1", Name: "n"})
	if !errors.Is(err, KindDisconnected) {
		t.Error(err)
	}
	if line, err := player.r.ReadString('\n'); err != io.EOF {
		t.Errorf("%q is sent (%v)", line, err)
	}
}
