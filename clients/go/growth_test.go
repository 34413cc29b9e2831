package sidecar

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestAnotherMajorVersionIsAnErrorThatNamesBoth(t *testing.T) {
	for _, version := range []string{"2.0", "0.9", "one"} {
		_, _, err := tryPlay(t, `{"serverInfo":{"name":"flyte-sidecar","version":"9.9"},"protocolVersion":"`+version+`"}`)
		var told *VersionError
		if !errors.Is(err, KindIncompatible) || !errors.As(err, &told) || told.Server != version || told.Client != ProtocolVersion {
			t.Errorf("%q: %v", version, err)
		}
		if text := err.Error(); !strings.Contains(text, `"`+version+`"`) || !strings.Contains(text, "flyte-sidecar 9.9") || !strings.Contains(text, "install") {
			t.Error(text)
		}
	}
}

func TestWhatNamesNoVersionIsNoSidecar(t *testing.T) {
	for _, hello := range []string{`{}`, `null`, `{"capabilities":{},"serverInfo":{"name":"gopls"}}`} {
		_, _, err := tryPlay(t, hello)
		if !errors.Is(err, KindIncompatible) || !strings.Contains(err.Error(), "not a flyte-sidecar") {
			t.Errorf("%s: %v", hello, err)
		}
	}
}

func TestASidecarThatIsNotOlderSaysItselfWhyItLacksAMethod(t *testing.T) {
	client, player := play(t, hello)
	call := background(func() (*Status, error) { return client.Sidecar.Status(context.Background()) })
	player.refuse(player.expect("sidecar.status"), -32601, `{"kind":"method_not_found","retryable":false}`)
	if got := <-call; !strings.HasSuffix(got.err.Error(), "method_not_found: no") {
		t.Error(got.err)
	}
}

func TestAnOlderMinorVersionIsTold(t *testing.T) {
	defer func(minor int) { ownMinor = minor }(ownMinor)
	ownMinor++
	client, player := play(t, hello)
	if !strings.Contains(client.Mismatch(), "older") {
		t.Errorf("%q", client.Mismatch())
	}
	call := background(func() (*Status, error) { return client.Sidecar.Status(context.Background()) })
	player.refuse(player.expect("sidecar.status"), -32601, `{"kind":"method_not_found","retryable":false}`)
	got := <-call
	if !errors.Is(got.err, KindMethodNotFound) ||
		!strings.Contains(got.err.Error(), "(9.9, protocol "+ProtocolVersion+") is older than this client (protocol "+ProtocolVersion+") and lacks the method") {
		t.Error(got.err)
	}
	raw := background(func() (any, error) { return nil, client.Call(context.Background(), "a.b", nil, nil) })
	player.refuse(player.expect("a.b"), -32601, `{"kind":"method_not_found","retryable":false}`)
	if got := <-raw; strings.Contains(got.err.Error(), "older") {
		t.Error(got.err)
	}
}

func TestParamsThatAnOlderSidecarRefusesAreToldAsAMatterOfVersions(t *testing.T) {
	client, player := play(t, strings.Replace(hello, ProtocolVersion, "1.0", 1))
	call := background(func() (*Event, error) {
		return client.Events.Wait(context.Background(), WaitParams{RunName: "r1", Name: "n", AwaitCreation: true})
	})
	player.refuse(player.expect("events.wait"), -32602, `{"kind":"invalid_params","retryable":false,"path":"/awaitCreation"}`)
	got := <-call
	if !errors.Is(got.err, KindInvalidParams) ||
		!strings.Contains(got.err.Error(), "invalid_params: no (this sidecar (9.9, protocol 1.0) is older than this client") {
		t.Error(got.err)
	}
}

func TestALineThatDoesNotEndEndsTheConnection(t *testing.T) {
	client, player := play(t, hello)
	go func() {
		chunk := []byte(strings.Repeat("x", 1<<20))
		for range 300 {
			if _, err := player.w.Write(chunk); err != nil {
				return
			}
		}
	}()
	<-client.Done()
	if err := client.Err(); !errors.Is(err, KindDisconnected) || !strings.Contains(err.Error(), "a line of more than 268435456 bytes") {
		t.Error(err)
	}
}

func TestANewerMinorVersionMayHaveWhatThisClientHasNot(t *testing.T) {
	client, player := play(t, strings.Replace(hello, ProtocolVersion, "1.7", 1))
	if client.Mismatch() != "" {
		t.Error(client.Mismatch())
	}
	var told []string
	done := background(func() (any, error) {
		for notice, err := range client.Events.Watch(context.Background(), WatchParams{}) {
			if err != nil {
				return nil, err
			}
			told = append(told, words(notice))
		}
		return nil, nil
	})
	watch := player.expect("events.watch")
	for _, text := range []string{
		"",
		`{"jsonrpc":"2.0","method":"events.rumoured","params":{"watch":"w1","sequence":1,"of":"something"}}`,
		`{"jsonrpc":"2.0","method":"$/progress"}`,
		`{"jsonrpc":"2.0","method":"events.synced","params":{"watch":"another","sequence":1}}`,
		`{"jsonrpc":"2.0","method":"events.synced"}`,
		`{"jsonrpc":"2.0","id":"strange","result":1}`,
		`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"hm","data":{"kind":"parse_error"}}}`,
		`{"jsonrpc":"2.0","id":4711,"result":1}`,
		`{"jsonrpc":"2.0","trace":[],"method":"events.changed","params":{"watch":"w1","sequence":1,"change":"reopened","why":[1],` +
			`"event":{"name":"n","phase":"THINKING","expectedType":"date","payload":"2026-01-01","votes":{"for":3}}}}`,
		`{"jsonrpc":"2.0","id":` + string(watch.ID) + `,"result":{"reason":"bored","after":3}}` + "\r",
	} {
		player.send("%s", text)
	}
	if got := <-done; got.err != nil {
		t.Fatal(got.err)
	}
	if got := strings.Join(told, ", "); got != "reopened n THINKING, ended: bored" {
		t.Error(got)
	}
	call := background(func() (*Event, error) { return client.Events.Get(context.Background(), GetParams{}) })
	player.refuse(player.expect("events.get"), 1099, `{"kind":"out_of_coffee","retryable":true,"limit":"many","votes":3,"grpcStatus":"X"}`)
	got := <-call
	var e *Error
	if !errors.Is(got.err, ErrorKind("out_of_coffee")) || !errors.As(got.err, &e) || e.Code != 1099 || e.Message != "no" || !e.Data.Retryable || e.Data.GRPCStatus != "X" {
		t.Errorf("%+v", got.err)
	}
}

func TestARequestOfTheSidecarIsRefusedOnce(t *testing.T) {
	_, player := play(t, hello)
	player.send(`{"jsonrpc":"2.0","id":"q","method":"window/showMessageRequest","params":{}}`)
	refusal := player.next()
	if string(refusal.ID) != `"q"` || !strings.Contains(string(refusal.Error), "-32601") {
		t.Errorf("%+v", refusal)
	}
}

func TestRequestsOfASidecarThatDoesNotReadAreDropped(t *testing.T) {
	client, player := play(t, hello)
	const many = 1000
	for i := range many {
		player.send(`{"jsonrpc":"2.0","id":%d,"method":"window/showMessageRequest"}`, i)
	}
	call := background(func() (*Status, error) { return client.Sidecar.Status(context.Background()) })
	refused := 0
	request := player.next()
	for ; request.Method == ""; request = player.next() {
		refused++
	}
	player.answer(request, `{}`)
	if got := <-call; got.err != nil || refused > many/10 {
		t.Errorf("%d are refused (%v)", refused, got.err)
	}
}

func TestANoticeThatIsNoNoticeEndsItsWatch(t *testing.T) {
	client, player := play(t, hello)
	for i, params := range []string{
		`{"watch":"w1","event":{"payload":[]}}`,
		`{"event":{"payload":[]},"watch":"w2"}`,
		`{"sequence":"first","watch":"w3"}`,
	} {
		watch := background(func() (any, error) { return nil, watched(client) })
		request := player.expect("events.watch")
		player.send(`{"jsonrpc":"2.0","method":"events.changed","params":%s}`, params)
		player.expect("$/cancelRequest")
		player.answer(request, `{"reason":"cancelled"}`)
		if got := <-watch; got.err == nil {
			t.Errorf("%d is passed over", i)
		}
	}
}

// watched goes over a watch and gives the error that ends it.
func watched(client *Client) error {
	for _, err := range client.Events.Watch(context.Background(), WatchParams{}) {
		if err != nil {
			return err
		}
	}
	return nil
}
