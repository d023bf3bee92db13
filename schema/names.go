package schema

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/Masterminds/semver/v3"
)

// The most bytes of names.
const (
	maxLabel      = 63
	maxIdentifier = 200
	maxVersion    = 128
	maxName       = 255
	maxLine       = 1 << 10
	maxProse      = 16 << 10
	maxURL        = 2 << 10
	maxValue      = 128 << 10 // of one argument or environment variable, as Linux allows
)

var (
	labelPattern      = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	identifierPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$`)
	flavourPattern    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
	exactPattern      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*$`)
	channelPattern    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]*$`)
	envPattern        = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	scopePattern      = regexp.MustCompile(`^[!-~]+$`)
	runAsPattern      = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?$`)
	hashPattern       = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	volumePattern     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
)

// A rule says what text is allowed in a field, and how to put it right.
type rule struct {
	most int // bytes
	ok   func(string) bool
	what string // the message after the quoted text: "is no DNS label"
	hint string
}

var (
	labelRule = rule{maxLabel, labelPattern.MatchString, "is no DNS label",
		"use lower-case letters, digits and -, with a letter or digit at both ends"}
	identifierRule = rule{maxIdentifier, isIdentifier, "is no identifier",
		"use letters, digits, and . _ - / between them, as in org.stardist"}
	flavourRule = rule{maxLabel, flavourPattern.MatchString, "is no name of a flavour",
		"use letters, digits, and . _ - between them, as in cuda"}
	versionTextRule = rule{maxVersion, isVersionText, "is no version, channel or range",
		"write 0.4.10, stable, ^0.4 or \">=1.2, <2\""}
	channelRule = rule{maxLabel, isChannel, "is no name of a channel",
		"begin with a letter and use letters, digits, and . _ -, as in stable"}
	envRule = rule{maxName, envPattern.MatchString, "is no name of an environment variable",
		"use letters, digits and _, with no digit first"}
	scopeRule = rule{maxLine, scopePattern.MatchString, "is no scope",
		"use letters, digits and signs without spaces, as in read"}
	runAsRule = rule{maxName, runAsPattern.MatchString, "is no user of a container",
		"write UID, UID:GID or a name, as in 1000:1000"}
	ownerRule = rule{maxName, isLine, "is no name of a user", "use printable characters"}
	lineRule  = rule{maxLine, isLine, "holds characters that cannot be shown", "use printable characters on one line"}
	proseRule = rule{maxProse, isProse, "holds characters that cannot be shown", "use printable characters"}
	refRule   = rule{maxName, isRef, "is no branch, tag, commit or range",
		"write it as main, v1.2, a commit's hash or a range as ^1.2"}
	pathRule = rule{maxLine, isCleanAbs, "is no absolute path", "begin it with / and leave out .. and :"}
)

// check tells of text that breaks the rule. Empty text is passed over: where it
// must not be, decoding has told.
func (r *report) check(rule rule, path, text string) bool {
	switch {
	case text == "":
		return true
	case len(text) > rule.most:
		r.error(path, "is too long", fmt.Sprintf("use at most %d bytes", rule.most))
		return false
	case !rule.ok(text):
		r.error(path, quote(text)+" "+rule.what, rule.hint)
		return false
	}
	return true
}

// isIdentifier tells whether s can identify an app.
func isIdentifier(s string) bool {
	return identifierPattern.MatchString(s) && !strings.Contains(s, "..") && !strings.Contains(s, "//")
}

// isVersionText tells whether s can select a release: by its exact text, by a
// channel or by a range.
func isVersionText(s string) bool { return exactPattern.MatchString(s) || isRange(s) }

func isRange(s string) bool {
	_, err := semver.NewConstraint(s)
	return err == nil && isLine(s)
}

func isChannel(s string) bool { return channelPattern.MatchString(s) && !isRange(s) }

// isLine tells whether s is one line that can be shown.
func isLine(s string) bool { return isProse(s) && !strings.ContainsAny(s, "\n\r\t") }

// isProse tells whether s is text that can be shown: no control characters,
// with which it could lie on a terminal.
func isProse(s string) bool {
	for _, r := range s {
		if (unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r)) || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError {
			return false
		}
	}
	return true
}

// isRef tells whether s can be a branch, tag or commit, as git allows them, or
// a range over tags.
func isRef(s string) bool {
	if strings.HasPrefix(s, "-") {
		return false
	}
	if isRange(s) {
		return true
	}
	for _, bad := range []string{"..", "@{", "//", "/."} {
		if strings.Contains(s, bad) {
			return false
		}
	}
	return isLine(s) && !strings.ContainsAny(s, " ~^:?*[\\\x7f") && s != "@" &&
		!strings.HasPrefix(s, "/") && !strings.HasPrefix(s, ".") &&
		!strings.HasSuffix(s, "/") && !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, ".lock")
}

// isCleanAbs tells whether s is an absolute path that stays below where it begins.
func isCleanAbs(s string) bool {
	return strings.HasPrefix(s, "/") && isLine(s) && !hasDotDot(s) && !strings.Contains(s, ":")
}

// hasDotDot tells whether a path has an element "..".
func hasDotDot(s string) bool {
	for part := range strings.SplitSeq(strings.ReplaceAll(s, `\`, "/"), "/") {
		if part == ".." {
			return true
		}
	}
	return false
}

// capabilityNames are the Linux capabilities, without CAP_.
var capabilityNames = strings.Fields(`ALL AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF
	CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL
	LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST
	NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE
	SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM`)
