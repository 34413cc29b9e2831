package sidecar

import (
	"io"
	"sync"
	"time"
)

// streams are the ends of a sidecar that somebody else runs.
type streams struct {
	r reader
	w writer
}

type reader struct {
	io.Reader
	close func() error
}

type writer struct {
	io.Writer
	close func() error
}

func (r reader) Close() error { return r.close() }
func (w writer) Close() error { return w.close() }

func attach(r io.Reader, w io.WriteCloser) *connection {
	closeReader := func() error { return nil }
	if closer, ok := r.(io.Closer); ok {
		closeReader = closer.Close
	}
	s := streams{reader{r, sync.OnceValue(closeReader)}, writer{w, sync.OnceValue(w.Close)}}
	return newConnection(s, s.r, s.w)
}

func (s streams) end(read <-chan struct{}, patience time.Duration) {
	select {
	case <-read:
	case <-time.After(patience):
	}
	s.w.Close()
	s.r.Close()
}

func (streams) lost(cause error) *DisconnectedError { return &DisconnectedError{Err: cause} }
func (streams) failed() error                       { return nil }
