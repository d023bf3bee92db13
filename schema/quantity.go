package schema

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Bytes is an amount of memory or storage, in bytes. In a document it is a
// number with a unit: B, kB, MB, GB, TB are powers of 1000; Ki or KiB, Mi, Gi,
// Ti are powers of 1024. A bare number is bytes.
type Bytes int64

// CPU is an amount of CPU time, in thousandths of a CPU. In a document it is a
// number of CPUs (2, 0.5) or of thousandths (500m).
type CPU int64

// Duration is a span of time, as Go writes it: 30s, 2m, 1h30m. A bare number is
// refused, for it has no unit.
type Duration time.Duration

// Version is a version as text, never as a number. In a document it may be
// written bare; its text is then taken as it stands.
type Version string

var byteUnits = map[string]float64{
	"": 1, "b": 1,
	"k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9, "t": 1e12, "tb": 1e12,
	"ki": 1 << 10, "kib": 1 << 10, "mi": 1 << 20, "mib": 1 << 20,
	"gi": 1 << 30, "gib": 1 << 30, "ti": 1 << 40, "tib": 1 << 40,
}

// ParseBytes reads an amount of bytes.
func ParseBytes(s string) (Bytes, error) {
	text := strings.TrimSpace(s)
	end := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end < 0 {
		end = len(text)
	}
	n, err := strconv.ParseFloat(text[:end], 64)
	unit, known := byteUnits[strings.ToLower(strings.TrimSpace(text[end:]))]
	v := n * unit
	if err != nil || !known || v > math.MaxInt64/2 {
		return 0, fmt.Errorf("%q is no amount of memory: write it as 8GB or 512Mi", clip(s))
	}
	return Bytes(math.Round(v)), nil
}

// String renders the amount with the largest unit that divides it.
func (b Bytes) String() string {
	for _, u := range []struct {
		name string
		size Bytes
	}{{"Ti", 1 << 40}, {"TB", 1e12}, {"Gi", 1 << 30}, {"GB", 1e9}, {"Mi", 1 << 20}, {"MB", 1e6}, {"Ki", 1 << 10}, {"kB", 1e3}} {
		if b != 0 && b%u.size == 0 {
			return fmt.Sprintf("%d%s", b/u.size, u.name)
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// Short renders the amount for people: as [Bytes.String] does where that is short, as
// 8Gi, and otherwise with one decimal, as 8.4GB. It never says more than there is.
func (b Bytes) Short() string {
	if exact := b.String(); len(exact) <= 5 {
		return exact
	}
	for _, u := range []struct {
		name string
		size Bytes
	}{{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}} {
		if b >= u.size {
			return fmt.Sprintf("%d.%d%s", b/u.size, b%u.size/(u.size/10), u.name)
		}
	}
	return fmt.Sprintf("%d.%dkB", b/1e3, b%1e3/100)
}

// ParseCPU reads an amount of CPU.
func ParseCPU(s string) (CPU, error) {
	text := strings.TrimSpace(s)
	scale := 1000.0
	if m, ok := strings.CutSuffix(text, "m"); ok {
		text, scale = m, 1
	}
	n, err := strconv.ParseFloat(text, 64)
	v := n * scale
	if err != nil || !(v >= 0 && v < 1e12) || math.Abs(v-math.Round(v)) > 1e-6 || strings.ContainsAny(text, "eExXpPiIn_+-") {
		return 0, fmt.Errorf("%q is no amount of CPU: write it as 2, 0.5 or 500m", clip(s))
	}
	return CPU(math.Round(v)), nil
}

// String renders the amount as it would be written.
func (c CPU) String() string {
	if c%1000 == 0 {
		return strconv.FormatInt(int64(c)/1000, 10)
	}
	return strconv.FormatInt(int64(c), 10) + "m"
}

// ParseDuration reads a span of time; it may not be negative.
func ParseDuration(s string) (Duration, error) {
	d, err := time.ParseDuration(strings.TrimSpace(s))
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no duration: write it as 30s, 2m or 1h30m", clip(s))
	}
	return Duration(d), nil
}

// String renders the duration as Go does, without zero parts at the end.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// ParsePort reads CONTAINER, HOST:CONTAINER or IP:HOST:CONTAINER, with an
// optional /tcp or /udp. An IPv6 address stands in brackets.
func ParsePort(s string) (Port, error) {
	bad := fmt.Errorf("%q is no port: write it as 80, 8080:80, 127.0.0.1:8080:80 or 53:53/udp", clip(s))
	text, proto, found := strings.Cut(strings.TrimSpace(s), "/")
	p := Port{Protocol: TCP}
	if found {
		p.Protocol = Protocol(strings.ToLower(proto))
	}
	if p.Protocol != TCP && p.Protocol != UDP {
		return Port{}, bad
	}
	rest, container := "", text
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		rest, container = text[:i], text[i+1:]
	}
	var err error
	if p.Container, err = portNumber(container); err != nil {
		return Port{}, bad
	}
	if rest == "" {
		if strings.Contains(text, ":") {
			return Port{}, bad
		}
		return p, nil
	}
	host := rest
	if i := strings.LastIndexByte(rest, ':'); i >= 0 {
		p.HostIP, host = strings.Trim(rest[:i], "[]"), rest[i+1:]
		if !validIP(p.HostIP) {
			return Port{}, bad
		}
	}
	if host == "" && p.HostIP != "" { // IP::CONTAINER: any port of one address
		return p, nil
	}
	if p.Host, err = portNumber(host); err != nil {
		return Port{}, bad
	}
	return p, nil
}

// String renders the port as it would be written.
func (p Port) String() string {
	var b strings.Builder
	if p.HostIP != "" {
		if strings.Contains(p.HostIP, ":") {
			b.WriteString("[" + p.HostIP + "]:")
		} else {
			b.WriteString(p.HostIP + ":")
		}
	}
	if p.Host != 0 {
		fmt.Fprintf(&b, "%d:", p.Host)
	} else if p.HostIP != "" {
		b.WriteByte(':')
	}
	fmt.Fprint(&b, p.Container)
	if p.Protocol != TCP && p.Protocol != "" {
		b.WriteString("/" + string(p.Protocol))
	}
	return b.String()
}
