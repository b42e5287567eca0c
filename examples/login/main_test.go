// SPDX-License-Identifier: MIT

package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/internal/test/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// device is a browser that posts forms.
type device struct {
	*testing.T
	client *http.Client
	site   string
}

func newDevice(t *testing.T, server *httptest.Server) *device {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &device{t, &http.Client{Transport: server.Client().Transport, Jar: jar}, server.URL}
}

// sees posts a form, or gets the page when the path is "", and looks for a text.
func (d *device) sees(path, want string, form ...string) {
	d.Helper()
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	do := func() (*http.Response, error) { return d.client.PostForm(d.site+"/"+path, values) }
	if path == "" {
		do = func() (*http.Response, error) { return d.client.Get(d.site) }
	}
	answer, err := do()
	if err != nil {
		d.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
		d.Errorf("%s: %s, %v, no %q in\n%s", path, answer.Status, err, want, body)
	}
}

func TestTwoDevicesOfOneUser(t *testing.T) {
	site, _, err := newSite()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(site)
	defer server.Close()
	phone, laptop := newDevice(t, server), newDevice(t, server)
	phone.sees("", "You are not logged in.")
	phone.sees("register", "8 to 72 characters", "name", "ann", "password", "short")
	phone.sees("register", "You are ann.", "name", "ann", "password", "correct horse")
	laptop.sees("register", "The name is taken.", "name", "ann", "password", "another one")
	laptop.sees("login", "Name or password is wrong.", "name", "ann", "password", "another one")
	laptop.sees("login", "Name or password is wrong.", "name", "ben", "password", "another one")
	laptop.sees("login", "You are ann.", "name", "ann", "password", "correct horse", "remember", "on")
	laptop.sees("promote", "You are ann, an administrator.")
	phone.sees("", "<button name=\"device\"")
	laptop.sees("elsewhere", "You are ann, an administrator.")
	phone.sees("", "You are not logged in.")
	phone.sees("promote", "You are not logged in.")
	phone.sees("login", "You are ann.", "name", "ann", "password", "correct horse")
	laptop.sees("logout", "You are not logged in.")
}
