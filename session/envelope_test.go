// SPDX-License-Identifier: MIT

package session

import (
	"bytes"
	"strings"
	"testing"
)

func TestNoTokenLeadsToAConversation(t *testing.T) {
	conversation := Conversation{Channel: "sms", Peer: "1"}.ID()
	forged := identity{kind: tokenID, raw: conversation.look().raw}.id()
	id, err := ParseID(forged.Token())
	if err != nil {
		t.Fatal(err)
	}
	if id == conversation || newHasher("x", nil).id(id) == newHasher("x", nil).id(conversation) {
		t.Error("who knows a phone number can make a token for its conversation")
	}
}

func TestEnvelopesOfTheFirstVersionAreReadForEver(t *testing.T) {
	got, ok := openEnvelope([]byte("\x01\x07\x03ann\x03sms\x021x{\"a\":1}"))
	if !ok || got.Version != 7 || got.Subject != "ann" || got.Conversation != (Conversation{Channel: "sms", Peer: "1x"}) || string(got.Data) != `{"a":1}` {
		t.Errorf("read %+v, %v", got, ok)
	}
	if b := got.append(nil); string(b) != "\x01\x07\x03ann\x03sms\x021x{\"a\":1}" {
		t.Errorf("wrote %q", b)
	}
}

func TestEnvelopesOfUnknownVersionsAreNotRead(t *testing.T) {
	for _, b := range []string{"", "\x01", "\x01\x80\x80\x04\x03ann\x03sms\x021x{}", "\x00\x00\x03ann\x03sms\x021x{}", "\x02\x00\x03ann\x03sms\x021x{}"} {
		if e, ok := openEnvelope([]byte(b)); ok {
			t.Errorf("%q is read as %+v", b, e)
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	for _, e := range []envelope{{}, {Version: 300, Subject: "ann", Data: []byte("{}")}, {Conversation: Conversation{Channel: "sms", Peer: strings.Repeat("1", 200)}, Data: []byte("x")}} {
		f.Add(e.append(nil))
	}
	f.Add([]byte("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Add([]byte("\x02\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, ok := openEnvelope(b)
		if !ok {
			return
		}
		again, ok := openEnvelope(e.append(nil))
		if !ok || again.Version != e.Version || again.Subject != e.Subject || again.Conversation != e.Conversation || !bytes.Equal(again.Data, e.Data) {
			t.Fatalf("%q reads as %+v, which reads back as %+v, %v", b, e, again, ok)
		}
	})
}
