package sidecar

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
)

// stub calls a method with the JSON of its params, or opens a watch with them.
type stub struct {
	call  func(ctx context.Context, params json.RawMessage) (any, error)
	watch func(ctx context.Context, params json.RawMessage) iter.Seq2[Notice, error]
}

func calls[P, R any](method func(context.Context, P) (R, error)) stub {
	return stub{call: func(ctx context.Context, params json.RawMessage) (any, error) {
		given, err := read[P](params)
		if err != nil {
			return nil, err
		}
		return method(ctx, given)
	}}
}

func asks[R any](method func(context.Context) (R, error)) stub {
	return stub{call: func(ctx context.Context, _ json.RawMessage) (any, error) { return method(ctx) }}
}

func acts[P any](method func(context.Context, P) error) stub {
	return calls(func(ctx context.Context, params P) (any, error) { return nil, method(ctx, params) })
}

// Generated code needs it once a method has neither params nor a result.
var _ = tells

func tells(method func(context.Context) error) stub {
	return asks(func(ctx context.Context) (any, error) { return nil, method(ctx) })
}

func watches[P any](method func(context.Context, P) iter.Seq2[Notice, error]) stub {
	return stub{watch: func(ctx context.Context, params json.RawMessage) iter.Seq2[Notice, error] {
		given, err := read[P](params)
		if err != nil {
			panic(err)
		}
		return method(ctx, given)
	}}
}

func read[P any](params json.RawMessage) (given P, err error) {
	decoder := json.NewDecoder(bytes.NewReader(params))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&given)
	return given, err
}

// UnmarshalJSON is for transcripts alone: a program makes its params itself.
func (p *SignalParams) UnmarshalJSON(data []byte) error {
	type plain SignalParams
	params := struct {
		*plain
		Payload json.RawMessage `json:"payload"`
	}{plain: (*plain)(p)}
	err := json.Unmarshal(data, &params)
	if err == nil {
		p.Payload, err = readPayload(params.Payload, p.PayloadType)
	}
	return err
}
