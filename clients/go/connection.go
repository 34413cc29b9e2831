package sidecar

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// peer is what stands at the other end of a connection.
type peer interface {
	// end waits for the peer to end and forces it once patience is over; read is closed when
	// nothing more is read from it.
	end(read <-chan struct{}, patience time.Duration)
	// lost says how it ended; cause is what the connection met.
	lost(cause error) *DisconnectedError
	// failed says what was wrong with an end that was asked for, if anything was.
	failed() error
}

// connection carries messages, one JSON text a line. One goroutine writes and one reads.
type connection struct {
	peer     peer
	lines    chan []byte   // to the writer, which takes one when it can
	refusals chan []byte   // to the writer too; a few are kept
	closing  chan struct{} // closed when no more calls are taken
	farewell chan []byte   // the last that is written, once that is so
	read     chan struct{} // closed when nothing more is read
	done     chan struct{} // closed at the end of it all
	err      error         // why it ended; stands once done is closed

	stop, finish sync.Once
	calls        openCalls
}

func newConnection(peer peer, r io.ReadCloser, w io.WriteCloser) *connection {
	c := &connection{
		peer:     peer,
		lines:    make(chan []byte),
		refusals: make(chan []byte, 16),
		closing:  make(chan struct{}),
		farewell: make(chan []byte, 1),
		read:     make(chan struct{}),
		done:     make(chan struct{}),
		calls:    newOpenCalls(),
	}
	go c.writeLines(w)
	go c.readLines(r)
	return c
}

// call sends a request and gives its result. What a watch tells meanwhile goes to unread.
func (c *connection) call(ctx context.Context, method string, params any, unread *unread) (json.RawMessage, error) {
	id, call := c.calls.add(method, unread)
	defer c.calls.remove(id)
	if err := c.send(ctx, request{"2.0", &id, method, params}); err != nil {
		return nil, err
	}
	select {
	case answer := <-call.answer:
		return answer.result, answer.err
	case <-c.done:
		return c.last(call)
	case <-ctx.Done():
		return c.cancel(reason(ctx), id, call)
	}
}

// cancel cancels a call that was sent, and gives what the sidecar then answers.
func (c *connection) cancel(cause error, id int64, call *call) (json.RawMessage, error) {
	lines := c.lines
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case lines <- cancelRequest(id):
			lines = nil // it is sent once
		case answer := <-call.answer:
			if errors.Is(answer.err, KindRequestCancelled) {
				return nil, fmt.Errorf("%w: %w", cause, answer.err)
			}
			return answer.result, answer.err
		case <-c.done:
			return c.last(call)
		case <-timer.C:
			return nil, cancelled(cause, OutcomeUnknown, "the sidecar does not say what became of it")
		}
	}
}

// last gives the answer of a call after the end, which may have come just before that.
func (c *connection) last(call *call) (json.RawMessage, error) {
	select {
	case answer := <-call.answer:
		return answer.result, answer.err
	default:
		return nil, c.err
	}
}

// send hands a message to the writer, or sends nothing.
func (c *connection) send(ctx context.Context, message any) error {
	line, err := encode(message)
	if err != nil {
		return err
	}
	lines := c.lines
	select {
	case <-c.closing:
		return ErrClosed
	case <-c.read: // no answer would be
		lines = nil
	default:
	}
	if ctx.Err() != nil {
		return cancelled(reason(ctx), OutcomeNone, "it was not sent")
	}
	select {
	case lines <- line:
		return nil
	case <-c.closing:
		return ErrClosed
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return cancelled(reason(ctx), OutcomeNone, "it was not sent")
	}
}

func (c *connection) writeLines(w io.WriteCloser) {
	defer w.Close()
	buffer := bufio.NewWriterSize(w, 64<<10)
	for {
		var line []byte
		select {
		case line = <-c.lines:
		case line = <-c.refusals:
		case <-c.closing:
			if last := <-c.farewell; len(last) > 0 {
				_, _ = w.Write(last) // whoever closes sees how the peer ends
			}
			return
		case <-c.read: // no answer would be
			return
		}
		if err := c.writeBatch(buffer, line); err != nil {
			c.peer.end(c.read, moment) // its reading end tells everybody
			c.await(err)
			return
		}
	}
}

// writeBatch writes a line and those that wait behind it.
func (c *connection) writeBatch(buffer *bufio.Writer, line []byte) error {
	for {
		if _, err := buffer.Write(line); err != nil {
			return err
		}
		select {
		case line = <-c.lines:
		default:
			return buffer.Flush()
		}
	}
}

// maxLine is the longest line that is read. Of what sidecars write, none is nearly so long.
const maxLine = 256 << 20

// readLine reads a line, which stands until the next one is read.
func readLine(reader *bufio.Reader) (line []byte, err error) {
	for {
		part, err := reader.ReadSlice('\n')
		switch {
		case len(line)+len(part) > maxLine:
			return nil, fmt.Errorf("its output has a line of more than %d bytes", maxLine)
		case err != bufio.ErrBufferFull && line == nil:
			return part, err
		}
		line = append(line, part...)
		if err != bufio.ErrBufferFull {
			return line, err
		}
	}
}

func (c *connection) readLines(r io.ReadCloser) {
	reader := bufio.NewReaderSize(r, 64<<10)
	var err error
	for err == nil {
		var line []byte
		line, err = readLine(reader)
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		switch strange := c.take(line); {
		case strange != nil && err != nil:
			err = fmt.Errorf("its output ends within a message: %.100q", line)
		case strange != nil:
			err = strange
		}
	}
	close(c.read)
	c.peer.end(c.read, moment)
	r.Close()
	c.over(err)
}

// over ends the calls that still wait.
func (c *connection) over(cause error) {
	c.finish.Do(func() {
		select {
		case <-c.closing:
			c.err = ErrClosed
		default:
			c.err = c.peer.lost(cause)
		}
		close(c.done)
	})
}

// close ends the connection; what still happens is waited for as long as patience lasts.
func (c *connection) close(patience time.Duration) error {
	c.stop.Do(func() {
		close(c.closing)
		c.farewell <- c.endCalls()
	})
	c.peer.end(c.read, patience)
	c.await(nil)
	if !errors.Is(c.err, ErrClosed) {
		return c.err
	}
	return c.peer.failed()
}

// endCalls ends the calls that nothing else may end, and gives what tells the sidecar so.
func (c *connection) endCalls() (lines []byte) {
	for _, id := range c.calls.endless() {
		c.calls.answer(id, answer{err: ErrClosed})
		lines = append(lines, cancelRequest(id)...)
	}
	return lines
}

// await waits for the reader, which has nothing more to read, unless it cannot be interrupted.
func (c *connection) await(cause error) {
	select {
	case <-c.done:
	case <-time.After(moment):
		c.over(cause)
	}
}
