package sidecar

import (
	"io"
	"sync"
	"time"
)

// streams are the ends of a sidecar that somebody else runs.
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

func attach(r io.Reader, w io.WriteCloser) *connection {
	s := streams{func() error { return nil }, sync.OnceValue(w.Close)}
	if closer, ok := r.(io.Closer); ok {
		s.closeReader = sync.OnceValue(closer.Close)
	}
	endInput := s.closeWriter
	// A socket that is both ends has its last answers still to bring.
	if half, ok := w.(interface{ CloseWrite() error }); ok {
		endInput = half.CloseWrite
	}
	return newConnection(s, reader{r, s.closeReader}, writer{w, endInput})
}

func (s streams) end(read <-chan struct{}, patience time.Duration) {
	select {
	case <-read:
	case <-time.After(patience):
	}
	s.closeWriter()
	s.closeReader()
}

func (streams) lost(cause error) *DisconnectedError { return &DisconnectedError{Err: cause} }
func (streams) failed() error                       { return nil }
