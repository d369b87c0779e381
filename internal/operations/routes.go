// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxScrapes is how many /metrics are gathered at a time; more are answered by 503.
const maxScrapes = 4

func routes(cfg Config) http.Handler {
	mux := http.NewServeMux()
	guard := func(h http.Handler) http.Handler {
		if cfg.TLS == nil {
			return h
		}
		return certified(h)
	}
	if cfg.Gatherer != nil {
		metrics := promhttp.HandlerFor(cfg.Gatherer, promhttp.HandlerOpts{
			MaxRequestsInFlight: maxScrapes, ErrorHandling: promhttp.ContinueOnError,
			ErrorLog: slog.NewLogLogger(cfg.Log.Handler(), slog.LevelWarn),
		})
		mux.Handle("/metrics", guard(only(metrics.ServeHTTP, http.MethodGet)))
	}
	if cfg.LogSpec != nil {
		mux.Handle("/logspec", guard(logSpec(cfg.LogSpec)))
	}
	mux.Handle("/healthz", healthz(cfg.Health))
	mux.Handle("/version", only(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, cfg.Version)
	}, http.MethodGet))
	return mux
}

// certified lets through who has shown a certificate; the TLS layer has verified it.
func certified(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
			refuse(w, http.StatusUnauthorized, errors.New("a client certificate is needed here, of a CA in weft.operations.tls.clientRootCAs.files"))
			return
		}
		h.ServeHTTP(w, r)
	})
}

// only refuses other methods.
func only(h http.HandlerFunc, method string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method {
			refuse(w, http.StatusMethodNotAllowed, fmt.Errorf("invalid request method: %s", r.Method))
			return
		}
		h(w, r)
	})
}

func healthz(health func() []FailedCheck) http.Handler {
	return only(func(w http.ResponseWriter, _ *http.Request) {
		status := struct {
			Status       string        `json:"status"`
			Time         time.Time     `json:"time"`
			FailedChecks []FailedCheck `json:"failed_checks,omitempty"`
		}{Status: "OK", Time: time.Now()}
		if health != nil {
			status.FailedChecks = health()
		}
		if len(status.FailedChecks) == 0 {
			answer(w, http.StatusOK, status)
			return
		}
		status.Status = http.StatusText(http.StatusServiceUnavailable)
		answer(w, http.StatusServiceUnavailable, status)
	}, http.MethodGet)
}

type specification struct {
	Spec *string `json:"spec"`
}

func logSpec(spec LogSpec) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet:
			now := spec.Spec()
			answer(w, http.StatusOK, specification{Spec: &now})
		case http.MethodPut:
			if err := setSpec(spec, http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
				refuse(w, http.StatusBadRequest, err)
				return
			}
			w.WriteHeader(http.StatusNoContent)
		default:
			refuse(w, http.StatusBadRequest, fmt.Errorf("invalid request method: %s", r.Method)) // as Fabric
		}
	})
}

func setSpec(spec LogSpec, body io.Reader) error {
	var s specification
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return fmt.Errorf(`write {"spec": "info"}: %w`, err)
	}
	if s.Spec == nil {
		return errors.New(`write {"spec": "info"}: spec is missing`)
	}
	return spec.SetSpec(*s.Spec)
}

func refuse(w http.ResponseWriter, code int, err error) {
	answer(w, code, map[string]string{"error": err.Error()})
}

// answer writes v. A client that went away is no concern of ours.
func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}
