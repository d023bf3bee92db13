package backends

import (
	"time"

	"github.com/berthdev/berth/schema"
)

// MaxLogLine is how long a line of a log may be, in bytes; what is longer is cut
// there, and goes on as a line of its own.
const MaxLogLine = 64 << 10

// LogOptions say what of a pod's log is asked for.
type LogOptions struct {
	Follow bool      // go on with what the pod writes, until it ends
	Tail   int       // at most so many of the last lines; negative: all
	Since  time.Time // only what was written at this time or later; zero: from the beginning
}

// A LogLine is a line that a pod wrote.
type LogLine struct {
	Time   time.Time // when, as the engine tells
	Stderr bool      // to standard error, as far as the engine tells them apart
	Text   string    // valid UTF-8, without the line's end
}

// Usage is what a running pod uses at a moment.
type Usage struct {
	Pod        string
	Deployment string
	CPU        schema.CPU
	Memory     schema.Bytes // without what the system may take back at once, as caches of files
}
