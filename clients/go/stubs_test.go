package sidecar

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
)

// stub calls a method, or opens a watch, with params in JSON.
type stub struct {
	call  func(ctx context.Context, params json.RawMessage) (any, error)
	watch func(ctx context.Context, params json.RawMessage) iter.Seq2[WatchNotification, error]
}

func callStub[P, R any](method func(context.Context, P) (R, error)) stub {
	return stub{call: func(ctx context.Context, params json.RawMessage) (any, error) {
		decoded, err := decodeParams[P](params)
		if err != nil {
			return nil, err
		}
		return method(ctx, decoded)
	}}
}

func resultStub[R any](method func(context.Context) (R, error)) stub {
	return stub{call: func(ctx context.Context, _ json.RawMessage) (any, error) { return method(ctx) }}
}

func paramsStub[P any](method func(context.Context, P) error) stub {
	return callStub(func(ctx context.Context, params P) (any, error) { return nil, method(ctx, params) })
}

// Unused until the contract has a method with neither params nor a result.
var _ = bareStub

func bareStub(method func(context.Context) error) stub {
	return resultStub(func(ctx context.Context) (any, error) { return nil, method(ctx) })
}

func watchStub[P any](method func(context.Context, P) iter.Seq2[WatchNotification, error]) stub {
	return stub{watch: func(ctx context.Context, params json.RawMessage) iter.Seq2[WatchNotification, error] {
		decoded, err := decodeParams[P](params)
		if err != nil {
			panic(err)
		}
		return method(ctx, decoded)
	}}
}

func decodeParams[P any](params json.RawMessage) (decoded P, err error) {
	decoder := json.NewDecoder(bytes.NewReader(params))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&decoded)
	return decoded, err
}

// UnmarshalJSON decodes the params in transcripts. Programs only encode params.
func (p *SignalParams) UnmarshalJSON(data []byte) error {
	type plain SignalParams
	params := struct {
		*plain
		Payload json.RawMessage `json:"payload"`
	}{plain: (*plain)(p)}
	err := json.Unmarshal(data, &params)
	if err == nil {
		p.Payload, err = decodePayload(params.Payload, p.PayloadType)
	}
	return err
}

// UnmarshalJSON decodes the params in transcripts. Programs only encode params.
func (p *SignalManyParams) UnmarshalJSON(data []byte) error {
	type plain SignalManyParams
	params := struct {
		*plain
		Payload json.RawMessage `json:"payload"`
	}{plain: (*plain)(p)}
	err := json.Unmarshal(data, &params)
	if err == nil {
		p.Payload, err = decodePayload(params.Payload, p.PayloadType)
	}
	return err
}
