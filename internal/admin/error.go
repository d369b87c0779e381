// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"errors"
	"fmt"
	"net/http"
)

// Kinds of what a node answers; errors.Is finds them on both sides of the socket.
var (
	ErrInvalid  = errors.New("admin: bad input")
	ErrNotFound = errors.New("admin: no such thing")
	ErrConflict = errors.New("admin: it is so already")
)

// Errors of the socket.
var (
	// ErrNoNode: no node answers at the socket.
	ErrNoNode = errors.New("admin: no node answers")
	// ErrSocket: the socket cannot be made.
	ErrSocket = errors.New("admin: no socket can be made")
)

// Error is an answer that says what is wrong in words for the operator.
type Error struct {
	Kind    error // ErrInvalid, ErrNotFound, ErrConflict; nil: the node's own fault
	Message string
}

// Errorf makes an [Error] of a kind.
func Errorf(kind error, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string { return e.Message }

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }

// status is the HTTP status of an error.
func status(err error) int {
	switch {
	case errors.Is(err, ErrInvalid):
		return http.StatusBadRequest
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, ErrConflict):
		return http.StatusConflict
	default:
		return http.StatusInternalServerError
	}
}

// kind is the reverse of status.
func kind(status int) error {
	switch status {
	case http.StatusBadRequest:
		return ErrInvalid
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusConflict:
		return ErrConflict
	default:
		return nil
	}
}
