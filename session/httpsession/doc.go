// SPDX-License-Identifier: MIT

// Package httpsession gives the sessions of package session to net/http: cookies,
// login and logout. It works with every router that takes an [http.Handler].
//
//	type User struct {
//		httpsession.State // for flash messages and the list of devices
//		Cart              []string
//	}
//
// A [Logins] serves the sessions of a manager:
//
//	users, err := session.New(memsession.New(), session.Config[User]{Name: "users"}) // or redissession.New(client)
//	if err != nil {
//		log.Fatal(err)
//	}
//	users.Start() // removes expired sessions in the background
//	defer users.Stop(ctx)
//	logins, err := httpsession.New(users, httpsession.Config[User]{})
//	if err != nil {
//		log.Fatal(err)
//	}
//
//	mux := http.NewServeMux()
//	mux.Handle("/add", logins.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
//		err := logins.From(r.Context()).Update(r.Context(), func(u *User) error {
//			u.Cart = append(u.Cart, r.FormValue("item"))
//			return nil
//		})
//		answer(w, "added", err)
//	})))
//
// The function answer is the program's: it writes a text, or a status for an error.
// What else a handler does with its [Visit]:
//
//	user, err = visit.Data(ctx) // the zero User without a session
//	err = visit.Login(ctx, "ann", httpsession.Remember(30*24*time.Hour)) // after checking the password
//	err = visit.Logout(ctx)
//
// [Logins.Required] answers 401 where there is no login.
//
// # Guaranteed
//
//   - Nothing is read before a method of [Visit] needs it, and nothing is stored,
//     and no cookie set, for a visitor of whom nothing is to be stored.
//   - A change is stored when the method returns, before the first byte of the
//     response, and is never lost to another request: [Visit.Update] is repeated on
//     conflict. What needs a cookie when the response has begun is [ErrSent].
//   - Cookies are set by a new session, a login, a new id and a logout only. So
//     a late response to another older request neither replaces nor brings back one.
//   - A login has an id that no one knew before it. The old id never leads to it: for
//     a few seconds it shows the visitor's data, read only, to requests under way.
//   - A malformed, foreign or forged cookie is no session, and no error. A
//     session that cannot be read goes to Config.OnError; its cookie stays, since
//     another version of the program may be able to read it.
//   - Responses that depend on a session have Vary and Cache-Control: private,
//     those of [Logins.Required] no-store.
//
// # Cross-site requests
//
// [Logins.Handler] refuses unsafe requests (all but GET, HEAD and OPTIONS) that a
// browser sends from another site, by [http.CrossOriginProtection]: it looks at
// Sec-Fetch-Site, or at Origin. Requests that have neither pass: those of programs,
// and of browsers older than 2020. GET must change nothing. SameSite=Lax keeps the
// cookie from such requests, too.
//
// # Not guaranteed
//
//   - Order of requests that one browser sends at once: each sees the session as
//     it is when it reads it. A [Visit.Rotate] whose response arrives after that of
//     a later login leaves the browser with the id from before that login.
//   - The address of a [Device] behind a proxy, unless Config.RemoteAddr knows it.
package httpsession
