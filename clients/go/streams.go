package sidecar

import (
	"io"
	"sync"
	"time"
)

// streams is a peer at the other end of two streams.
type streams struct {
	closeReader, closeWriter func() error
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

func newStreamConnection(r io.Reader, w io.WriteCloser) *connection {
	s := streams{func() error { return nil }, sync.OnceValue(w.Close)}
	if closer, ok := r.(io.Closer); ok {
		s.closeReader = sync.OnceValue(closer.Close)
	}
	closeInput := s.closeWriter
	// A socket still delivers the last responses after its writing half is closed.
	if half, ok := w.(interface{ CloseWrite() error }); ok {
		closeInput = half.CloseWrite
	}
	return newConnection(s, reader{r, s.closeReader}, writer{w, closeInput}, nil)
}

func (s streams) end(eof <-chan struct{}, timeout time.Duration) {
	select {
	case <-eof:
	case <-time.After(timeout):
	}
	s.closeWriter()
	s.closeReader()
}

func (streams) disconnected(cause error) *DisconnectedError { return &DisconnectedError{Err: cause} }
func (streams) exitError() error                            { return nil }
