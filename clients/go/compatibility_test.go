package sidecar

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestAnotherMajorVersionIsAnErrorWithBothVersions(t *testing.T) {
	for _, version := range []string{"2.0", "0.9", "one"} {
		_, _, err := tryAttachFake(t, `{"serverInfo":{"name":"flyte-sidecar","version":"9.9"},"protocolVersion":"`+version+`"}`)
		var target *VersionError
		if !errors.Is(err, KindIncompatible) || !errors.As(err, &target) || target.Server != version || target.Client != ProtocolVersion {
			t.Errorf("%q: %v", version, err)
		}
		if text := err.Error(); !strings.Contains(text, `"`+version+`"`) || !strings.Contains(text, "flyte-sidecar 9.9") || !strings.Contains(text, "install") {
			t.Error(text)
		}
	}
}

func TestAServerWithoutAProtocolVersionIsNotASidecar(t *testing.T) {
	for _, initializeResult := range []string{`{}`, `null`, `{"capabilities":{},"serverInfo":{"name":"gopls"}}`} {
		_, _, err := tryAttachFake(t, initializeResult)
		if !errors.Is(err, KindIncompatible) || !strings.Contains(err.Error(), "not a flyte-sidecar") {
			t.Errorf("%s: %v", initializeResult, err)
		}
	}
}

func TestAMissingMethodOfASidecarThatIsNotOlderKeepsItsMessage(t *testing.T) {
	client, fake := attachFake(t, initializeResult)
	call := background(func() (*Status, error) { return client.Sidecar.Status(context.Background()) })
	fake.respondError(fake.expect("sidecar.status"), -32601, `{"kind":"method_not_found","retryable":false}`)
	if got := <-call; !strings.HasSuffix(got.err.Error(), "method_not_found: no") {
		t.Error(got.err)
	}
}

func TestAnOlderMinorVersionIsReported(t *testing.T) {
	defer func(minor int) { ownMinor = minor }(ownMinor)
	ownMinor++
	client, fake := attachFake(t, initializeResult)
	if !strings.Contains(client.VersionWarning(), "older") {
		t.Errorf("%q", client.VersionWarning())
	}
	call := background(func() (*Status, error) { return client.Sidecar.Status(context.Background()) })
	fake.respondError(fake.expect("sidecar.status"), -32601, `{"kind":"method_not_found","retryable":false}`)
	got := <-call
	if !errors.Is(got.err, KindMethodNotFound) ||
		!strings.Contains(got.err.Error(), "the sidecar (9.9, protocol "+ProtocolVersion+") is older than this client (protocol "+ProtocolVersion+") and lacks the method") {
		t.Error(got.err)
	}
	raw := background(func() (any, error) { return nil, client.Call(context.Background(), "a.b", nil, nil) })
	fake.respondError(fake.expect("a.b"), -32601, `{"kind":"method_not_found","retryable":false}`)
	if got := <-raw; strings.Contains(got.err.Error(), "older") {
		t.Error(got.err)
	}
}

func TestInvalidParamsOfAnOlderSidecarMentionItsVersion(t *testing.T) {
	client, fake := attachFake(t, strings.Replace(initializeResult, ProtocolVersion, "1.0", 1))
	call := background(func() (*Event, error) {
		return client.Events.Wait(context.Background(), WaitParams{RunName: "r1", Name: "n", AwaitCreation: true})
	})
	fake.respondError(fake.expect("events.wait"), -32602, `{"kind":"invalid_params","retryable":false,"path":"/awaitCreation"}`)
	got := <-call
	if !errors.Is(got.err, KindInvalidParams) ||
		!strings.Contains(got.err.Error(), "invalid_params: no (the sidecar (9.9, protocol 1.0) is older than this client") {
		t.Error(got.err)
	}
}

func TestALineThatIsTooLongEndsTheConnection(t *testing.T) {
	client, fake := attachFake(t, initializeResult)
	go func() {
		chunk := []byte(strings.Repeat("x", 1<<20))
		for range 300 {
			if _, err := fake.w.Write(chunk); err != nil {
				return
			}
		}
	}()
	<-client.Done()
	if err := client.Err(); !errors.Is(err, KindDisconnected) || !strings.Contains(err.Error(), "a line of more than 268435456 bytes") {
		t.Error(err)
	}
}

func TestAdditionsOfANewerMinorVersionAreAccepted(t *testing.T) {
	client, fake := attachFake(t, strings.Replace(initializeResult, ProtocolVersion, "1.7", 1))
	if client.VersionWarning() != "" {
		t.Error(client.VersionWarning())
	}
	var received []string
	done := background(func() (any, error) {
		for notification, err := range client.Events.Watch(context.Background(), WatchParams{}) {
			if err != nil {
				return nil, err
			}
			received = append(received, describe(notification))
		}
		return nil, nil
	})
	watch := fake.expect("events.watch")
	for _, text := range []string{
		"",
		`{"jsonrpc":"2.0","method":"events.rumoured","params":{"watch":"w1","sequence":1,"subject":"something"}}`,
		`{"jsonrpc":"2.0","method":"$/progress"}`,
		`{"jsonrpc":"2.0","method":"events.synced","params":{"watch":"another","sequence":1}}`,
		`{"jsonrpc":"2.0","method":"events.synced"}`,
		`{"jsonrpc":"2.0","id":"strange","result":1}`,
		`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"hm","data":{"kind":"parse_error"}}}`,
		`{"jsonrpc":"2.0","id":4711,"result":1}`,
		`{"jsonrpc":"2.0","trace":[],"method":"events.changed","params":{"watch":"w1","sequence":1,"change":"reopened","reasons":[1],` +
			`"event":{"name":"n","phase":"THINKING","expectedType":"date","payload":"2026-01-01","votes":{"for":3}}}}`,
		`{"jsonrpc":"2.0","id":` + string(watch.ID) + `,"result":{"reason":"bored","after":3}}` + "\r",
	} {
		fake.send("%s", text)
	}
	if got := <-done; got.err != nil {
		t.Fatal(got.err)
	}
	if got := strings.Join(received, ", "); got != "reopened n THINKING, ended: bored" {
		t.Error(got)
	}
	call := background(func() (*Event, error) { return client.Events.Get(context.Background(), GetParams{}) })
	fake.respondError(fake.expect("events.get"), 1099, `{"kind":"out_of_coffee","retryable":true,"limit":"many","votes":3,"grpcStatus":"X"}`)
	got := <-call
	var e *Error
	if !errors.Is(got.err, ErrorKind("out_of_coffee")) || !errors.As(got.err, &e) || e.Code != 1099 || e.Message != "no" || !e.Data.Retryable || e.Data.GRPCStatus != "X" {
		t.Errorf("%+v", got.err)
	}
}

func TestARequestOfTheSidecarIsRejectedOnce(t *testing.T) {
	_, fake := attachFake(t, initializeResult)
	fake.send(`{"jsonrpc":"2.0","id":"q","method":"window/showMessageRequest","params":{}}`)
	rejection := fake.next()
	if string(rejection.ID) != `"q"` || !strings.Contains(string(rejection.Error), "-32601") {
		t.Errorf("%+v", rejection)
	}
}

func TestRequestsOfASidecarThatDoesNotReadResponsesAreDropped(t *testing.T) {
	client, fake := attachFake(t, initializeResult)
	const many = 1000
	for i := range many {
		fake.send(`{"jsonrpc":"2.0","id":%d,"method":"window/showMessageRequest"}`, i)
	}
	call := background(func() (*Status, error) { return client.Sidecar.Status(context.Background()) })
	rejected := 0
	request := fake.next()
	for ; request.Method == ""; request = fake.next() {
		rejected++
	}
	fake.respond(request, `{}`)
	if got := <-call; got.err != nil || rejected > many/10 {
		t.Errorf("%d are rejected (%v)", rejected, got.err)
	}
}

func TestAnInvalidNotificationEndsItsWatch(t *testing.T) {
	client, fake := attachFake(t, initializeResult)
	for i, params := range []string{
		`{"watch":"w1","event":{"payload":[]}}`,
		`{"event":{"payload":[]},"watch":"w2"}`,
		`{"sequence":"first","watch":"w3"}`,
	} {
		watch := background(func() (any, error) { return nil, watchError(client) })
		request := fake.expect("events.watch")
		fake.send(`{"jsonrpc":"2.0","method":"events.changed","params":%s}`, params)
		fake.expect("$/cancelRequest")
		fake.respond(request, `{"reason":"cancelled"}`)
		if got := <-watch; got.err == nil {
			t.Errorf("notification %d is ignored", i)
		}
	}
}

// watchError returns the error that ends a watch.
func watchError(client *Client) error {
	for _, err := range client.Events.Watch(context.Background(), WatchParams{}) {
		if err != nil {
			return err
		}
	}
	return nil
}
