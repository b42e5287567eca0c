// SPDX-License-Identifier: MIT

package seal

import (
	"testing"

	"github.com/holdfast-go/holdfast/audit"
)

// What was sealed once must have the same leaf and the same hash for ever.
func TestTheStoredFormIsStable(t *testing.T) {
	e := audit.Event{
		ID: audit.DerivedID(testTime, "test"), Time: testTime, Type: "room.key.issued", Outcome: audit.Success, Tenant: "hotel",
		Actor: audit.Entity{Type: "guest", ID: "ana"}, Details: audit.JSON(map[string]any{"nights": 3}), Seq: 7, Stream: audit.DerivedID(testTime, "stream"),
	}
	salt := make(secret, saltSize)
	leaf := entry{ID: e.ID, Occurred: testTime.UnixMicro(), Recorded: testTime.UnixMicro() + 5, Type: e.Type, Tenant: e.Tenant, Hash: salt.hash(e)}
	_, _, point := specimens(t)
	proof, _ := testProof(t)
	for what, c := range map[string]struct{ got, want string }{
		"the leaf": {leaf.leaf().String(), "Zo6KEneorT326QrU50Q3FpDjiSYVYLxZvpBr/jtXURM="},
		"the checkpoint": {point, `hotel.example/audit
3
ADbYZrvDpBNkTusDccZv8DAFuc6+K5nVMfuOFvay1iw=
previous 2
time 1790000000000000
horizon 0
frontier Ybsq/rqsVNrPjp/Nu6pm9j7Yt/4nsJFt10QxsTh8XS/JKoOPgvO384GHbWzfrEEzYjsf3POE4w3KkCzOAeqEEA==
certificate aG9sZGZhc3Qgc2VhbCBjZXJ0aWZpY2F0ZQpob3RlbC5leGFtcGxlL2F1ZGl0K2E5ZjA1NWNlK0FlTmhRczdJajM4S2Z2anc0dFZiTFBkNENwdzliNlpEZGNkbnBtZXpIZGI3CjE3ODk5OTY0MDAwMDAwMDAKMTc5MDAwMzYwMDAwMDAwMAoK4oCUIGhvdGVsLmV4YW1wbGUvYXVkaXQgcWZCVnpsVUlvdHJrTjlUV3IvZUp6N2ptSVhxdmtxTW5rVkNIMG03UHFUMEp5OFRlQlc2ZUVITWVyVWtCVS9UMWZRT1I4bWJNTzlJMVdaR1FQelRESHVRb1ZnZz0K

— hotel.example/audit qfBVzrifX+bire4idKInxm8CUwPr4xp4qAMDtMeX1OaygOPbkbS3F0TxU/KZk73kN/M7OWWhqCK3GswVGc8lp3Z7Qws=
`},
		"the proof": {proof, `c2sp.org/tlog-proof@v1
extra eyJldmVudCI6IntcImlkXCI6XCIwMWEwYzQ1MC02YzAwLThmODYtOTA4MS04ODRjN2Q2NTlhMmZcIixcInRpbWVcIjpcIjIwMjYtMDktMjFUMTQ6MTM6MjBaXCIsXCJ0eXBlXCI6XCJ0ZXN0XCIsXCJvdXRjb21lXCI6XCJ1bmtub3duXCJ9IiwiZGV0YWlscyI6IntcIm5cIjoxfSIsInJlY29yZGVkIjoxNzkwMDAwMDAwMDAwMDAwLCJzYWx0IjoiQUFBQUFBQUFBQUFBQUFBQUFBQUFBQT09In0=
index 1
6hgRb4QQweQt6VueH15mgwUpF6OxcfCEjZK388vS38I=

hotel.example/audit
2
j2xkMxHfrV48BhdAoa+aRH5JTmtOpWU/aSsj/etBIvM=
previous 0
time 1790000000000000
horizon 0
frontier j2xkMxHfrV48BhdAoa+aRH5JTmtOpWU/aSsj/etBIvM=
certificate aG9sZGZhc3Qgc2VhbCBjZXJ0aWZpY2F0ZQpob3RlbC5leGFtcGxlL2F1ZGl0K2E5ZjA1NWNlK0FlTmhRczdJajM4S2Z2anc0dFZiTFBkNENwdzliNlpEZGNkbnBtZXpIZGI3CjE3ODk5OTY0MDAwMDAwMDAKMTc5MDAwMzYwMDAwMDAwMAoK4oCUIGhvdGVsLmV4YW1wbGUvYXVkaXQgcWZCVnpsVUlvdHJrTjlUV3IvZUp6N2ptSVhxdmtxTW5rVkNIMG03UHFUMEp5OFRlQlc2ZUVITWVyVWtCVS9UMWZRT1I4bWJNTzlJMVdaR1FQelRESHVRb1ZnZz0K

— hotel.example/audit qfBVzoGu8IzCiwBOYVvXWbPrsGolM9GBXiLPCEDD80ocTsoE4NlLB5ogU5R0D3NJjqO7VM4PWuhxVP+DvUeXAh5/uQE=
`},
	} {
		if c.got != c.want {
			t.Errorf("%s is\n%s\nwant\n%s", what, c.got, c.want)
		}
	}
}
