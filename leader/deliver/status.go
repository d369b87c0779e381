// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
)

// What an orderer answers in place of a block. They are wrapped in a [StatusError].
var (
	// ErrForbidden: the signer does not satisfy /Channel/Readers of the orderer's configuration.
	ErrForbidden = errors.New("deliver: access denied")
	// ErrNotFound: the orderer does not serve the channel, or does not have the first block yet.
	ErrNotFound = errors.New("deliver: channel or block not found")
	// ErrUnavailable: the orderer has no Raft leader, or has stopped serving the channel.
	ErrUnavailable = errors.New("deliver: ordering service unavailable")
	// ErrBadRequest: the orderer did not accept the request itself.
	ErrBadRequest = errors.New("deliver: request refused")
	// ErrStatus: any other status. SUCCESS is one of them, because a request without an end cannot succeed.
	ErrStatus = errors.New("deliver: unexpected status")
)

// What else ends a stream.
var (
	// ErrNoEndpoints: the channel configuration names no orderer.
	ErrNoEndpoints = errors.New("deliver: the channel configuration has no orderer endpoints")
	// ErrNumber: the orderer sent another block than the next one.
	ErrNumber = errors.New("deliver: block out of order")
	// ErrMalformed: the orderer sent an answer without a block or status, or a block without header, data or metadata.
	ErrMalformed = errors.New("deliver: malformed answer")
	// ErrClientCert: the client certificate is out of its time, and was not shown; an orderer that requires mutual TLS refuses us.
	ErrClientCert = errors.New("deliver: the TLS client certificate is not valid now")
	// ErrSigner: there is no identity to sign the request with, or it could not sign.
	ErrSigner = errors.New("deliver: the request cannot be signed")
)

// StatusError is a status that came in place of a block. errors.Is finds the sentinel of its status.
type StatusError struct {
	Channel string
	Status  common.Status
}

// Error names the status and says what to do about it.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%v (%s, channel %s): %s", e.Unwrap(), e.Status, e.Channel, e.advice())
}

// Unwrap returns the sentinel of the status.
func (e *StatusError) Unwrap() error {
	switch e.Status {
	case common.Status_FORBIDDEN:
		return ErrForbidden
	case common.Status_NOT_FOUND:
		return ErrNotFound
	case common.Status_SERVICE_UNAVAILABLE:
		return ErrUnavailable
	case common.Status_BAD_REQUEST:
		return ErrBadRequest
	default:
		return ErrStatus
	}
}

func (e *StatusError) advice() string {
	switch e.Status {
	case common.Status_FORBIDDEN:
		return "check that this organization is in the channel and that the signing certificate is neither revoked nor expired"
	case common.Status_NOT_FOUND:
		return "this orderer does not serve the channel (not joined, a mere follower or evicted) or is behind us; another one may have it"
	case common.Status_SERVICE_UNAVAILABLE:
		return "the ordering service has no leader just now; check that most of its nodes are up"
	case common.Status_BAD_REQUEST:
		return "check that the clocks differ by less than 15 minutes and, under mutual TLS, that the client certificate is the one in use"
	default:
		return "the orderer ended a stream that has no end"
	}
}
