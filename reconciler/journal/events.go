package journal

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// Kind says what an event is about.
type Kind string

// The kinds of events.
const (
	Commit  Kind = "commit"  // a commit came into force, or its outcome became known
	App     Kind = "app"     // releases of an app came, changed or went
	State   Kind = "state"   // a deployment turned to another state, or its reason changed
	Step    Kind = "step"    // Berth took a step on a backend
	Pod     Kind = "pod"     // an engine told of a change that Berth did not make
	Source  Kind = "source"  // a source failed, or answers again
	Backend Kind = "backend" // a backend does not answer, or does again
	Request Kind = "request" // a person asked for something
)

// Severity is how much an event matters.
type Severity string

// The severities.
const (
	Info    Severity = "info"
	Warning Severity = "warning"
	Error   Severity = "error"
)

// How long the texts of an event may be, in bytes; what is longer is cut.
const (
	MaxMessage = 1000
	MaxName    = 253 // of every other text
)

// An Event is something that happened. Fields that do not concern it are empty.
type Event struct {
	ID         uint64 // rises with each event; the first is 1
	Time       time.Time
	Kind       Kind
	Severity   Severity // empty: Info
	Message    string   // in words; holds no secret
	Deployment string
	App        string
	Pod        string
	Backend    string
	Source     string
	Commit     string
	State      string // that the deployment turned to
}

// bounded returns the event with its texts cut.
func (e Event) bounded() Event {
	e.Severity = cmp.Or(e.Severity, Info)
	e.Message = cut(e.Message, MaxMessage)
	for _, name := range []*string{&e.Deployment, &e.App, &e.Pod, &e.Backend, &e.Source, &e.Commit, &e.State} {
		*name = cut(*name, MaxName)
	}
	return e
}

// repeats tells whether the event says nothing but what the one before it of its
// deployment said. What a person asks for twice was asked for twice.
func (e Event) repeats(before *Event) bool {
	if before == nil || e.Kind == Request {
		return false
	}
	e.ID, e.Time = before.ID, before.Time
	return e == *before
}

// cut returns a text of at most so many bytes, valid UTF-8, with a sign that
// something is left out. It keeps nothing of a longer one.
func cut(text string, most int) string {
	const sign = "…"
	if len(text) > most {
		end := most - len(sign)
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end] + sign
	}
	return strings.ToValidUTF8(text, "?") // never longer
}

// ring holds the newest events, each in the slot that its ID gives it. A slot is
// overwritten when its event is the oldest: whoever finds another ID than he
// looked for came too late.
type ring struct {
	slots []atomic.Pointer[Event]
	last  atomic.Uint64 // the ID of the newest; its slot is filled before
}

func newRing(n int) ring { return ring{slots: make([]atomic.Pointer[Event], n)} }

func (r *ring) slot(id uint64) *atomic.Pointer[Event] { return &r.slots[id%uint64(len(r.slots))] }

// put adds an event; one writer at a time does.
func (r *ring) put(e *Event) {
	r.slot(e.ID).Store(e)
	r.last.Store(e.ID)
}

// get returns the event with an ID; nil when it was overwritten.
func (r *ring) get(id uint64) *Event {
	if e := r.slot(id).Load(); e != nil && e.ID == id {
		return e
	}
	return nil
}

// oldest returns the ID of the oldest event that may still be there.
func (r *ring) oldest() uint64 {
	last := r.last.Load()
	return last - min(last, uint64(len(r.slots))) + 1
}

// Record takes in an event; it fills in ID and Time. An event that only repeats
// the one before it of the same deployment is left out.
func (j *Journal) Record(e Event) {
	if j == nil {
		return
	}
	e = e.bounded()
	j.mu.Lock()
	story := j.stories.get(e.Deployment)
	if e.Deployment != "" && e.repeats(newest(story)) {
		j.mu.Unlock()
		return
	}
	e.ID, e.Time = j.events.last.Load()+1, j.now()
	j.events.put(&e)
	if e.Deployment != "" {
		j.stories.put(e.Deployment, slices.Concat(story, []*Event{&e}))
	}
	j.mu.Unlock()
	j.bell.ring()
}

// Events returns the events that match, the newest first; a nil match takes all.
// Of one deployment [Journal.Of] may know older ones, and asks for less.
func (j *Journal) Events(match func(*Event) bool) []*Event {
	if j == nil {
		return nil
	}
	var out []*Event
	for id := j.events.last.Load(); id > 0; id-- {
		e := j.events.get(id)
		if e == nil {
			break // this one and all before it are overwritten
		}
		if match == nil || match(e) {
			out = append(out, e)
		}
	}
	return out
}

// Of returns the newest events of one deployment, the newest first.
func (j *Journal) Of(deployment string) []*Event {
	if j == nil {
		return nil
	}
	out := slices.Clone(j.stories.get(deployment))
	slices.Reverse(out)
	return out
}

// Last returns the ID of the newest event; 0 when there is none.
func (j *Journal) Last() uint64 {
	if j == nil {
		return 0
	}
	return j.events.last.Load()
}

// newest returns the last of a list; nil when it is empty.
func newest[T any](list []*T) *T {
	if len(list) == 0 {
		return nil
	}
	return list[len(list)-1]
}
