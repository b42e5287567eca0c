// SPDX-License-Identifier: MIT

package redissession

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/internal/test/redistest"
	"github.com/holdfast-go/holdfast/session"
)

// firstRecord is a record as version 1 writes it: whatever is released later
// has to read these bytes.
const firstRecord = "686673010000" + "0003" + // magic, version, flags, attempts
	"00064c9ba0f75eb0" + "1122334455667788" + // revision, nonce
	"019b76da9800" + "019b7c00f400" + "0000001b7740" + "019b76daa7a0" + // created, absolute, idle, last
	"019b76f61ee0" + // ends
	"00000e10" + "9a71bb4c" + // keep, checksum
	"0102030405060708" + "019b76dabf10" + // lease, its end
	"a0a1a2a3a4a5a6a7a8a9aaabacadaeaf" + // owner
	"00064c9ba0f75eaf" + "2122334455667788" + // revision and nonce of the write before
	"00064c9ba0f75eae" + "3122334455667788" + // and of those before that
	"00064c9ba0f75ead" + "4122334455667788" +
	"0000000000000000" + "0000000000000000" + // no more
	"68656c6c6f" // "hello"

func TestTheFormatOfVersionOneIsFixed(t *testing.T) {
	raw, err := hex.DecodeString(firstRecord)
	if err != nil {
		t.Fatal(err)
	}
	h, payload, ok := decode(string(raw))
	if !ok || payload != "hello" || checksum(payload) != h.crc {
		t.Fatalf("decoded %+v, payload %q, %v", h, payload, ok)
	}
	want := header{
		attempts: 3, rev: 1773081164471984, nonce: 0x1122334455667788,
		created: 0x019b76da9800, absolute: 0x019b7c00f400, idle: 1800000, last: 0x019b76daa7a0, ends: 0x019b76f61ee0,
		keep: 3600, crc: 0x9a71bb4c, lease: leaseName{1, 2, 3, 4, 5, 6, 7, 8}, leaseEnd: 0x019b76dabf10,
		owner:   session.Hash{0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf},
		earlier: [64]byte(raw[92:156]),
	}
	if h != want {
		t.Errorf("decoded %+v, want %+v", h, want)
	}
	if got := append(h.encode(), payload...); !bytes.Equal(got, raw) {
		t.Errorf("encoded %x, want %x", got, raw)
	}
}

func TestBytesThatAreNoRecordAreRefused(t *testing.T) {
	good := string(header{rev: 1}.encode())
	for name, raw := range map[string]string{
		"empty":            "",
		"magic only":       good[:3],
		"short by one":     good[:headerSize-1],
		"wrong magic":      "hfx" + good[3:],
		"version 0":        "hfs\x00" + good[4:],
		"something stored": strings.Repeat("{}", 100),
	} {
		if _, _, ok := decode(raw); ok {
			t.Errorf("%s: taken for a record", name)
		}
	}
}

func TestOfALaterVersionOnlyTheFieldsOfTheFirstAreRead(t *testing.T) {
	raw := "hfs\x02" + string(header{rev: 7, ends: 3}.encode()[4:]) + "later"
	if h, payload, ok := decode(raw); !ok || !h.newer || h.rev != 7 || h.ends != 3 || payload != "" {
		t.Errorf("decoded %+v, payload %q, %v; want revision and deadline, and no payload", h, payload, ok)
	}
}

func TestDurationsAreRoundedUp(t *testing.T) {
	for d, want := range map[time.Duration]int64{-time.Hour: 0, 0: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, time.Hour: 3600000} {
		if got := millis(d); got != want {
			t.Errorf("millis(%v) = %d, want %d: a short timeout must not become none", d, got, want)
		}
	}
}

// inLua reads a header as the scripts do.
var inLua = redis.NewScript(source("clock", "touch", "record") + `
local function num(n) return string.format('%.0f', n) end
if not valid(ARGV[1]) then return {'invalid'} end
local raw, again = ARGV[1], {}
for i, from in ipairs({CREATED, ABSOLUTE, IDLE, LAST, ENDS, LEASE_END}) do again[i] = bytes(int(raw, from, 6), 6) end
return {'valid', num(int(raw, ATTEMPTS, 2)), at(raw, REV, 8), at(raw, NONCE, 8),
  num(int(raw, CREATED, 6)), num(int(raw, ABSOLUTE, 6)), num(int(raw, IDLE, 6)), num(int(raw, LAST, 6)),
  num(int(raw, KEEP, 4)), at(raw, LEASE, 8), num(int(raw, LEASE_END, 6)), at(raw, OWNER, 16),
  num(deadline(raw)), table.concat(again), at(raw, EARLIER, HEADER - EARLIER), at(raw, WRITES[1], 16), at(raw, WRITES[#WRITES], 16)}`)

// asLua is what inLua says of a record that Go decodes to h.
func asLua(h header) []any {
	num := func(n int64) string { return fmt.Sprint(n) }
	wide := func(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }
	again := ""
	for _, ms := range []int64{h.created, h.absolute, h.idle, h.last, h.ends, h.leaseEnd} {
		again += string(appendUint48(nil, ms))
	}
	return []any{"valid", num(int64(h.attempts)), wide(h.rev), wide(h.nonce), num(h.created), num(h.absolute),
		num(h.idle), num(h.last), num(int64(h.keep)), string(h.lease[:]), num(h.leaseEnd), string(h.owner[:]),
		num(h.ends), again, string(h.earlier[:]), wide(h.rev) + wide(h.nonce), string(h.earlier[48:])}
}

// FuzzHeader checks that Go and Lua read every header alike, and that both
// refuse the same bytes.
func FuzzHeader(f *testing.F) {
	first, _ := hex.DecodeString(firstRecord)
	f.Add(first, false)
	f.Add(bytes.Repeat([]byte{0xff}, headerSize+4), true)
	f.Add(make([]byte, headerSize), true)
	f.Add([]byte("hfs"), false)
	f.Add([]byte("hfs\x01"), false)
	client, _ := redistest.Virtual(f)
	f.Fuzz(func(t *testing.T, raw []byte, stamp bool) {
		if stamp && len(raw) >= 4 {
			copy(raw, "hfs\x01")
		}
		want := []any{"invalid"}
		if h, payload, ok := decode(string(raw)); ok {
			want = asLua(h)
			if h.newer {
				payload = string(raw[headerSize:])
			}
			encoded := append(h.encode(), payload...)
			encoded[3] = raw[3]
			copy(encoded[4:6], raw[4:6]) // reserved, written as zero
			if !bytes.Equal(encoded, raw) {
				t.Errorf("%x is encoded as %x", raw, encoded)
			}
		}
		got, err := inLua.Run(t.Context(), client, []string{"{0}:x"}, raw).Slice()
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Errorf("Lua reads %q\nGo reads %q", got, want)
		}
	})
}

func TestARealServerReadsHeadersLikeGo(t *testing.T) {
	client := redistest.Real(t).Client(t)
	for _, h := range []header{
		{},
		{rev: 9, nonce: 8, earlier: [64]byte([]byte(strings.Repeat("\x00\x01\x7f\xff", 16)))},
		{attempts: 1<<16 - 1, rev: 1<<53 - 1, nonce: 1<<64 - 1, created: 1<<48 - 1, absolute: 1<<48 - 1, idle: 1, last: 1<<48 - 1, ends: 1<<48 - 1, keep: 1<<32 - 1, leaseEnd: 1<<48 - 1},
		{rev: 1732386000123456, created: 1732386000123, idle: 1800000, last: 1732386000123},
	} {
		got, err := inLua.Run(t.Context(), client, []string{"{0}:x"}, h.encode()).Slice()
		if err != nil {
			t.Fatal(err)
		}
		if want := asLua(h); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Errorf("Lua reads %q\nGo reads %q", got, want)
		}
	}
}

func TestGoAndLuaKnowTheSameVersions(t *testing.T) {
	client, _ := redistest.Virtual(t)
	script := redis.NewScript(source("clock", "touch", "record") + `
local function num(n) return string.format('%.0f', n) end
local known = {num(HEADER)}
for v = 0, 255 do if SIZES[v] then known[#known + 1] = num(v) .. '=' .. num(SIZES[v]) end end
return known`)
	got, err := script.Run(t.Context(), client, []string{"{0}:x"}).StringSlice()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{fmt.Sprint(headerSize)}
	for v := range 256 {
		if size, ok := sizes[byte(v)]; ok {
			want = append(want, fmt.Sprintf("%d=%d", v, size))
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("Lua knows %v, Go knows %v", got, want)
	}
	if sizes[version] != headerSize {
		t.Errorf("version %d is written with %d bytes, but read with %d", version, headerSize, sizes[version])
	}
}
