// SPDX-License-Identifier: MIT

package site

import (
	"encoding/json"
	"net/http"
)

// problem is an error as RFC 9457 wants it.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

func fail(w http.ResponseWriter, status int, detail string) {
	send(w, "application/problem+json", status, problem{http.StatusText(status), status, detail})
}

func sendJSON(w http.ResponseWriter, status int, body any) {
	send(w, "application/json", status, body)
}

func send(w http.ResponseWriter, kind string, status int, body any) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever hung up will ask again
}
