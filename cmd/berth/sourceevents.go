package main

import (
	"slices"

	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/follow"
)

// sourceEvents records when a source cannot be read, or went back, and when it is
// well again: one event for each change of that, however often it is asked.
type sourceEvents struct {
	record  func(journal.Event)
	trouble map[string]trouble // by source; none: it is well
}

// A trouble is what is wrong with a source. The words of a problem may be others
// each time, with its kind the same.
type trouble struct {
	kind    schema.ErrorKind
	rewound string
}

func newSourceEvents(record func(journal.Event)) *sourceEvents {
	return &sourceEvents{record: record, trouble: map[string]trouble{}}
}

// changed looks at the sources of these names. It is called by one at a time.
func (e *sourceEvents) changed(names []string, all []follow.Status) {
	for _, name := range names {
		at := slices.IndexFunc(all, func(s follow.Status) bool { return s.Name == name })
		if at < 0 { // followed no more
			delete(e.trouble, name)
			continue
		}
		s := &all[at]
		before, now := e.trouble[name], trouble{s.Kind, s.Rewound}
		if before == now {
			continue
		}
		e.trouble[name] = now
		event := journal.Event{Kind: journal.Source, Severity: journal.Warning, Source: name}
		switch {
		case now.kind != before.kind && s.Problem != "":
			event.Message = "source cannot be read: " + s.Problem
		case now.rewound != before.rewound && now.rewound != "":
			event.Message = now.rewound
		case before.kind != "" && now.kind == "":
			event.Severity, event.Message = journal.Info, "source can be read again"
		case before.rewound != "" && now.rewound == "":
			event.Severity, event.Message = journal.Info, "the desired state goes forward again"
		default:
			continue
		}
		e.record(event)
	}
}
