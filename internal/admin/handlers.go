// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
)

const (
	jsonType  = "application/json"
	bytesType = "application/octet-stream"
)

// handler routes requests.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, answer := range map[string]func(*http.Request) (any, error){
		"GET /v1/channels":               s.channels,
		"POST /v1/channels":              s.join,
		"GET /v1/channels/{id}":          s.channel,
		"GET /v1/channels/{id}/evidence": s.evidence,
		"DELETE /v1/channels/{id}":       s.leave,
		"GET /v1/peers":                  func(*http.Request) (any, error) { return peerList{s.cfg.Peers()}, nil },
		"GET /v1/version":                func(*http.Request) (any, error) { return s.cfg.Version, nil },
	} {
		mux.HandleFunc(pattern, s.json(answer))
	}
	mux.HandleFunc("GET /v1/channels/{id}/blocks/{which}", s.bytes(func(r *http.Request) ([]byte, error) {
		return s.cfg.Node.Block(r.Context(), r.PathValue("id"), r.PathValue("which"))
	}))
	mux.HandleFunc("GET /v1/channels/{id}/evidence/{which}", s.bytes(func(r *http.Request) ([]byte, error) {
		return s.cfg.Witness.Proof(r.PathValue("id"), r.PathValue("which"))
	}))
	mux.HandleFunc("/", s.json(func(r *http.Request) (any, error) {
		return nil, Errorf(ErrNotFound, "%s %s is nothing that this node answers; the command may be of another version", r.Method, r.URL.Path)
	}))
	return mux
}

// json makes a handler of a function that answers with a value.
func (s *Server) json(answer func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, MaxBlock)
		value, err := answer(r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		s.write(w, http.StatusOK, value)
	}
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	s.cfg.Log.Debug("administration refused", "method", r.Method, "path", r.URL.Path, "err", err)
	s.write(w, status(err), failure{err.Error()})
}

func (s *Server) write(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(value); err != nil {
		s.cfg.Log.Debug("answer not written", "err", err)
	}
}

func (s *Server) channels(*http.Request) (any, error) { return channelList{s.cfg.Node.Channels()}, nil }

func (s *Server) channel(r *http.Request) (any, error) {
	id, all := r.PathValue("id"), s.cfg.Node.Channels()
	i := slices.IndexFunc(all, func(c Status) bool { return c.Channel == id })
	if i < 0 {
		return nil, UnknownChannel(id)
	}
	return all[i], nil
}

// UnknownChannel is the error of a channel that the node is not in.
func UnknownChannel(id string) error {
	return Errorf(ErrNotFound, "channel %q is not joined; \"weft channel list\" shows those that are", id)
}

func (s *Server) join(r *http.Request) (any, error) {
	genesis, err := io.ReadAll(r.Body)
	if tooBig := (&http.MaxBytesError{}); errors.As(err, &tooBig) {
		return nil, Errorf(ErrInvalid, "a genesis block of more than %d bytes is none", tooBig.Limit)
	}
	if err != nil {
		return nil, Errorf(ErrInvalid, "the genesis block did not arrive whole: %v", err)
	}
	return s.cfg.Node.Join(r.Context(), genesis)
}

func (s *Server) leave(r *http.Request) (any, error) {
	return struct{}{}, s.cfg.Node.Leave(r.Context(), r.PathValue("id"))
}

func (s *Server) evidence(r *http.Request) (any, error) {
	found, err := s.cfg.Witness.Evidence(r.PathValue("id"))
	return evidenceList{found}, err
}

// bytes makes a handler of a function that answers with bytes.
func (s *Server) bytes(answer func(*http.Request) ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		raw, err := answer(r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		w.Header().Set("Content-Type", bytesType)
		w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
		if _, err := w.Write(raw); err != nil {
			s.cfg.Log.Debug("answer not written", "err", err)
		}
	}
}
