package sidecar

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"sync"
	"time"
)

// peer is the other end of a connection.
type peer interface {
	// end waits for the peer to end, and forces it to end after the timeout. eof is closed when
	// nothing more is read from the peer.
	end(eof <-chan struct{}, timeout time.Duration)
	// disconnected returns an error that describes how the peer ended; cause is the error of the
	// stream.
	disconnected(cause error) *DisconnectedError
	// exitError returns an error if the peer did not end cleanly after it was asked to.
	exitError() error
}

// connection exchanges JSON-RPC messages, one per line. One goroutine writes and one reads.
type connection struct {
	peer       peer
	lines      chan []byte   // to the writer; unbuffered, for back-pressure
	rejections chan []byte   // to the writer: responses to requests of the sidecar; bounded
	closing    chan struct{} // closed when no more calls are accepted
	lastWrite  chan []byte   // the last bytes to write, available once closing is closed
	eof        chan struct{} // closed when nothing more is read
	done       chan struct{} // closed when the connection has ended
	err        error         // why it ended; valid once done is closed

	closeOnce, finishOnce sync.Once
	calls                 pendingCalls
	onAuthRequired        func(*AuthRequired)
}

func newConnection(
	peer peer, r io.ReadCloser, w io.WriteCloser, onAuthRequired func(*AuthRequired),
) *connection {
	if onAuthRequired == nil {
		onAuthRequired = func(login *AuthRequired) { log.Print(login.Message) }
	}
	c := &connection{
		peer:       peer,
		lines:      make(chan []byte),
		rejections: make(chan []byte, 16),
		closing:    make(chan struct{}),
		lastWrite:  make(chan []byte, 1),
		eof:        make(chan struct{}),
		done:       make(chan struct{}),
		calls:      newPendingCalls(),

		onAuthRequired: onAuthRequired,
	}
	go c.writeLines(w)
	go c.readLines(r)
	return c
}

// call sends a request and returns its result. Notifications of a watch are added to queue.
func (c *connection) call(ctx context.Context, method string, params any, queue *notificationQueue) (json.RawMessage, error) {
	id, call := c.calls.add(method, queue)
	defer c.calls.remove(id)
	if err := c.send(ctx, request{"2.0", &id, method, params}); err != nil {
		return nil, err
	}
	select {
	case response := <-call.response:
		return response.result, response.err
	case <-c.done:
		return c.finalResponse(call)
	case <-ctx.Done():
		return c.cancel(contextError(ctx), id, call)
	}
}

// cancel cancels a call that was sent, and returns the sidecar's response.
func (c *connection) cancel(cause error, id int64, call *call) (json.RawMessage, error) {
	lines := c.lines
	timer := time.NewTimer(cancelTimeout)
	defer timer.Stop()
	for {
		select {
		case lines <- cancelRequest(id):
			lines = nil // send it once
		case response := <-call.response:
			if errors.Is(response.err, KindRequestCancelled) {
				return nil, fmt.Errorf("%w: %w", cause, response.err)
			}
			return response.result, response.err
		case <-c.done:
			return c.finalResponse(call)
		case <-timer.C:
			return nil, cancelledError(cause, OutcomeUnknown, "the sidecar did not respond to the cancellation")
		}
	}
}

// finalResponse returns the response to a call after the connection has ended. The response may
// have arrived just before the end.
func (c *connection) finalResponse(call *call) (json.RawMessage, error) {
	select {
	case response := <-call.response:
		return response.result, response.err
	default:
		return nil, c.err
	}
}

// send passes a message to the writer. If it returns an error, nothing was sent.
func (c *connection) send(ctx context.Context, message any) error {
	line, err := encode(message)
	if err != nil {
		return err
	}
	lines := c.lines
	select {
	case <-c.closing:
		return ErrClosed
	case <-c.eof: // a response would not be read
		lines = nil
	default:
	}
	const notSent = "the request was not sent"
	if ctx.Err() != nil {
		return cancelledError(contextError(ctx), OutcomeNone, notSent)
	}
	select {
	case lines <- line:
		return nil
	case <-c.closing:
		return ErrClosed
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return cancelledError(contextError(ctx), OutcomeNone, notSent)
	}
}

func (c *connection) writeLines(w io.WriteCloser) {
	defer w.Close()
	buffer := bufio.NewWriterSize(w, 64<<10)
	for {
		var line []byte
		select {
		case line = <-c.lines:
		case line = <-c.rejections:
		case <-c.closing:
			if last := <-c.lastWrite; len(last) > 0 {
				_, _ = w.Write(last) // close reports how the peer ends
			}
			return
		case <-c.eof: // responses would not be read
			return
		}
		if err := c.writeBatch(buffer, line); err != nil {
			c.peer.end(c.eof, grace) // the reader then ends the connection
			c.awaitDone(err)
			return
		}
	}
}

// writeBatch writes a line and the lines that wait behind it.
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

// maxLine is the largest accepted line, in bytes. Sidecars write far shorter lines.
const maxLine = 256 << 20

// readLine reads a line. The line is valid until the next read.
func readLine(reader *bufio.Reader) (line []byte, err error) {
	for {
		part, err := reader.ReadSlice('\n')
		switch {
		case len(line)+len(part) > maxLine:
			return nil, fmt.Errorf("the sidecar wrote a line of more than %d bytes", maxLine)
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
		switch invalid := c.handle(line); {
		case invalid != nil && err != nil:
			err = fmt.Errorf("the sidecar's output ends within a message: %.100q", line)
		case invalid != nil:
			err = invalid
		}
	}
	close(c.eof)
	c.peer.end(c.eof, grace)
	r.Close()
	c.finish(err)
}

// finish ends the connection, and with it the pending calls.
func (c *connection) finish(cause error) {
	c.finishOnce.Do(func() {
		select {
		case <-c.closing:
			c.err = ErrClosed
		default:
			c.err = c.peer.disconnected(cause)
		}
		close(c.done)
	})
}

// close ends the connection, and forces the peer to end after the timeout.
func (c *connection) close(timeout time.Duration) error {
	c.closeOnce.Do(func() {
		close(c.closing)
		c.lastWrite <- c.cancelOpenEnded()
	})
	c.peer.end(c.eof, timeout)
	c.awaitDone(nil)
	if !errors.Is(c.err, ErrClosed) {
		return c.err
	}
	return c.peer.exitError()
}

// cancelOpenEnded ends the waits and watches, and returns the cancellations to send.
func (c *connection) cancelOpenEnded() (lines []byte) {
	for _, id := range c.calls.openEnded() {
		c.calls.resolve(id, response{err: ErrClosed})
		lines = append(lines, cancelRequest(id)...)
	}
	return lines
}

// awaitDone waits for the reader to end the connection, and ends it if the reader is blocked in a
// Read that cannot be interrupted.
func (c *connection) awaitDone(cause error) {
	select {
	case <-c.done:
	case <-time.After(grace):
		c.finish(cause)
	}
}
