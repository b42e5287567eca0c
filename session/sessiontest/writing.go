// SPDX-License-Identifier: MIT

package sessiontest

import (
	"time"

	"github.com/holdfast-go/holdfast/session"
)

func writingCases() []conformanceCase {
	return []conformanceCase{
		{"CreateThenLoadGivesTheSameBack", createThenLoad},
		{"CreateNeverOverwrites", createNeverOverwrites},
		{"RepeatedCreateIsTheSameCreate", repeatedCreate},
		{"SaveIsCompareAndSwap", saveIsCompareAndSwap},
		{"RepeatedSaveIsTheSameSave", repeatedSave},
		{"AWriteIsRememberedForFourMore", rememberedSave},
		{"ACreateIsRememberedForFourMore", rememberedCreate},
		{"AForgottenWriteIsNotRepeated", forgottenSave},
		{"AWriteWithoutNonceIsNoRetry", writeWithoutNonce},
		{"SaveNeverBringsBackADeletedRecord", saveNeverResurrects},
		{"SaveOverARecreatedRecordIsStale", saveOverRecreated},
		{"DeleteIsIdempotent", deleteIsIdempotent},
		{"DeleteHandsOutWhatItRemoves", deleteHandsOut},
		{"PayloadsAreKeptByteForByte", payloadsByteForByte},
		{"BareLoadLeavesThePayloadOut", bareLoad},
		{"CallersMemoryIsTheirOwn", callersMemory},
		{"SpacesAreApart", spacesAreApart},
	}
}

func createThenLoad(b *bench) {
	h := b.handle(session.Hash{})
	rec := b.created(h, "hello")
	if rec.Rev == 0 {
		b.Error("a created record has revision 0: a Save could not name it")
	}
	if got := rec.Deadline.Sub(rec.CreatedAt); got != b.total {
		b.Errorf("the absolute deadline is %v after creation, want %v", got, b.total)
	}
	if got := rec.ExpiresAt.Sub(rec.CreatedAt); got != b.idle {
		b.Errorf("it expires %v after creation, want the idle timeout %v", got, b.idle)
	}
	if !rec.LastActivity.Equal(rec.CreatedAt) {
		b.Error("the last activity of a new record is not its creation")
	}
	got := b.peek(h)
	b.want(got, session.StatusDone, "a record that was just created has to be there")
	b.wantPayload(got, "hello", "what was written has to be read")
	if got.Record.Rev != rec.Rev || !got.Record.CreatedAt.Equal(rec.CreatedAt) || !got.Record.ExpiresAt.Equal(rec.ExpiresAt) || !got.Record.Deadline.Equal(rec.Deadline) {
		b.Errorf("Load returns other times or another revision than Create:\n%+v\n%+v", got.Record, rec)
	}
	b.want(b.peek(b.handle(session.Hash{})), session.StatusMissing, "a hash that no one created has no record")
}

func createNeverOverwrites(b *bench) {
	h := b.handle(session.Hash{})
	rec := b.created(h, "first")
	r := b.create(b.write(h, "second"))
	b.want(r, session.StatusExists, "Create over a live record would wipe out another caller's session")
	b.wantPayload(r, "first", "Exists carries what is there, so that Open needs one trip")
	if r.Record.Rev != rec.Rev {
		b.Errorf("Exists returns revision %d, want %d", r.Record.Rev, rec.Rev)
	}
	b.wantPayload(b.peek(h), "first", "a refused Create must write nothing")
}

func repeatedCreate(b *bench) {
	w := b.write(b.handle(session.Hash{}), "once")
	first := b.create(w)
	second := b.create(w)
	b.want(second, session.StatusDone, "a client that lost the reply repeats the call: it has to learn that it succeeded")
	if first.Record.Rev != second.Record.Rev {
		b.Errorf("the repeated Create answers revision %d, the first one %d", second.Record.Rev, first.Record.Rev)
	}
	if n := b.count().Active; n != 1 {
		b.Errorf("%d records after one Create and its retry, want 1", n)
	}
}

func saveIsCompareAndSwap(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "0")
	first := b.save(rec, "1")
	b.want(first, session.StatusDone, "a Save at the current revision has to work")
	if first.Record.Rev <= rec.Rev {
		b.Errorf("revision %d after %d: it has to rise with each write", first.Record.Rev, rec.Rev)
	}
	late := b.save(rec, "2")
	b.want(late, session.StatusStale, "a Save at an old revision would lose the update in between")
	b.wantPayload(late, "1", "Stale carries the current record, so that a retry needs no further trip")
	if late.Record.Rev != first.Record.Rev {
		b.Errorf("Stale returns revision %d, want the current %d", late.Record.Rev, first.Record.Rev)
	}
	b.wantPayload(b.peek(rec.StoreHandle), "1", "a refused Save must write nothing")
}

func repeatedSave(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "0")
	w := b.over(rec, rec.StoreHandle, "1")
	first := b.must(b.store.Save(b.ctx(), w))
	second := b.must(b.store.Save(b.ctx(), w))
	b.want(second, session.StatusDone, "the same nonce is a retry of the same Save, not a conflict with itself")
	if first.Record.Rev != second.Record.Rev {
		b.Errorf("the repeated Save answers revision %d, the first one %d", second.Record.Rev, first.Record.Rev)
	}
}

// later is how many more writes a store has to remember one for.
const later = 4

func rememberedSave(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "0")
	w := b.over(rec, rec.StoreHandle, "mine")
	mine := b.must(b.store.Save(b.ctx(), w))
	b.want(mine, session.StatusDone, "a Save at the current revision has to work")
	newest := mine
	for range later {
		newest = b.save(newest.Record, "theirs")
		again := b.must(b.store.Save(b.ctx(), w))
		b.want(again, session.StatusDone, "others may save before a client that lost the reply asks again: after a conflict it would make its change twice")
		if again.Record.Rev != mine.Record.Rev {
			b.Errorf("the repeated Save answers revision %d, the first one %d: its caller would overwrite what came after it", again.Record.Rev, mine.Record.Rev)
		}
		b.wantPayload(again, "mine", "a repeated Save is answered as it was at first")
		b.wantPayload(b.peek(rec.StoreHandle), "theirs", "a repeated Save must write nothing")
	}
	b.want(b.save(mine.Record, "next"), session.StatusStale, "a Save after a repeated one would lose what others saved in between")
}

func rememberedCreate(b *bench) {
	w := b.write(b.handle(session.Hash{}), "mine")
	mine := b.create(w)
	newest := mine
	for range later {
		newest = b.save(newest.Record, "theirs")
	}
	again := b.create(w)
	b.want(again, session.StatusDone, "a client that lost the reply repeats the call: it has to learn that it succeeded, though others have saved since")
	if again.Record.Rev != mine.Record.Rev {
		b.Errorf("the repeated Create answers revision %d, the first one %d: its caller would overwrite what came after it", again.Record.Rev, mine.Record.Rev)
	}
}

func forgottenSave(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "0")
	w := b.over(rec, rec.StoreHandle, "mine")
	newest := b.must(b.store.Save(b.ctx(), w))
	for range 50 {
		newest = b.save(newest.Record, "theirs")
	}
	_, _ = b.store.Save(b.ctx(), w) // whatever it answers
	b.wantPayload(b.peek(rec.StoreHandle), "theirs", "a Save was carried out a second time")
}

func writeWithoutNonce(b *bench) {
	w := b.write(b.handle(session.Hash{}), "0")
	w.Nonce = 0
	rec := b.create(w).Record
	b.want(b.create(w), session.StatusExists, "without a nonce a retry cannot be distinguished from another caller's Create")
	w.Rev = rec.Rev
	b.want(b.must(b.store.Save(b.ctx(), w)), session.StatusDone, "a Save at the current revision has to work")
	b.want(b.must(b.store.Save(b.ctx(), w)), session.StatusStale, "without a nonce a retry cannot be distinguished from another caller's Save: taking it for one would lose an update")
}

func saveNeverResurrects(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "in")
	b.remove(session.StoreRemove{Handles: []session.Hash{rec.Hash}})
	b.want(b.save(rec, "back"), session.StatusMissing, "a slow request's Save after a logout would log the user in again")
	b.want(b.peek(rec.StoreHandle), session.StatusMissing, "the deleted record is back")
	if n := b.count().Active; n != 0 {
		b.Errorf("%d records are counted after the only one was deleted", n)
	}
}

func saveOverRecreated(b *bench) {
	old := b.created(b.handle(session.Hash{}), "old")
	b.remove(session.StoreRemove{Handles: []session.Hash{old.Hash}})
	fresh := b.created(old.StoreHandle, "new")
	if fresh.Rev == old.Rev {
		b.Fatal("a recreated record has the revision of the deleted one")
	}
	b.want(b.save(old, "old still"), session.StatusStale, "a Save from before the deletion would overwrite the new session of the same key")
}

func deleteIsIdempotent(b *bench) {
	one, two := b.created(b.handle(session.Hash{}), "1"), b.created(b.handle(session.Hash{}), "2")
	both := session.StoreRemove{Handles: []session.Hash{one.Hash, two.Hash, b.handle(session.Hash{}).Hash}}
	if n := b.remove(both); n != 2 {
		b.Errorf("Delete of two records and a stranger says %d, want 2", n)
	}
	if n := b.remove(both); n != 0 {
		b.Errorf("a second Delete says %d, want 0", n)
	}
	b.want(b.peek(one.StoreHandle), session.StatusMissing, "a deleted record is still there")
}

func deleteHandsOut(b *bench) {
	owner := b.owner()
	rec, missing, owned := b.created(b.handle(session.Hash{}), "x"), b.handle(session.Hash{}), b.created(b.handle(owner), "y")
	got := b.removed(session.StoreRemove{Handles: []session.Hash{rec.Hash, missing.Hash}, Payload: true}).Removed
	if len(got) != 1 || got[0].Hash != rec.Hash || string(got[0].Payload) != "x" {
		b.Errorf("handed out %+v, want the one that there was, with its payload", got)
	}
	got = b.removed(session.StoreRemove{Owner: owner}).Removed
	if len(got) != 1 || got[0].Hash != owned.Hash {
		b.Errorf("handed out %+v, want the owner's record", got)
	}
}

func payloadsByteForByte(b *bench) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, payload := range []string{"", "\x00", "\xff\xfe", string(all), "}{:*\r\n"} {
		rec := b.created(b.handle(session.Hash{}), payload)
		b.wantPayload(b.peek(rec.StoreHandle), payload, "payloads are bytes, whatever they are")
	}
}

func bareLoad(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "long")
	r := b.load(session.StoreLoad{StoreHandle: rec.StoreHandle, Bare: true})
	b.want(r, session.StatusDone, "a bare Load finds what a whole one finds")
	b.wantPayload(r, "", "a bare Load exists to spare the payload's way")
	if r.Record.Rev != rec.Rev || !r.Record.ExpiresAt.Equal(rec.ExpiresAt) {
		b.Errorf("a bare Load returns %+v, want the revision and times of %+v", r.Record, rec)
	}
}

func callersMemory(b *bench) {
	w := b.write(b.handle(session.Hash{}), "mine")
	b.want(b.create(w), session.StatusDone, "creating a record under a fresh hash has to work")
	w.Payload[0] = 'X'
	r := b.peek(w.StoreHandle)
	b.wantPayload(r, "mine", "the store keeps the caller's slice: changing it changed the record")
	r.Record.Payload[0] = 'Y'
	b.wantPayload(b.peek(w.StoreHandle), "mine", "the store hands out its own slice: changing an answer changed the record")
}

func spacesAreApart(b *bench) {
	rec := b.created(b.handle(session.Hash{}), "here")
	there := rec.StoreHandle
	there.Space += "x"
	b.want(b.peek(there), session.StatusMissing, "managers of different names must not see each other's sessions")
	c, err := b.store.Count(b.ctx(), there.Space)
	if err != nil || c.Active != 0 {
		b.Errorf("an empty space counts %+v, %v", c, err)
	}
	b.pass(11)
	got, err := b.store.Claim(b.ctx(), session.StoreClaim{Space: there.Space, Max: 10, For: time.Minute})
	if err != nil || len(got.Due) != 0 {
		b.Errorf("a cleaner of another space was given %d records, %v", len(got.Due), err)
	}
}
