package schema

// The quantities are written as text, in documents and in JSON alike.

// MarshalText renders the amount as it would be written.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads an amount, as [ParseBytes] does.
func (b *Bytes) UnmarshalText(text []byte) (err error) { return set(b, text, ParseBytes) }

// MarshalText renders the amount as it would be written.
func (c CPU) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads an amount, as [ParseCPU] does.
func (c *CPU) UnmarshalText(text []byte) error { return set(c, text, ParseCPU) }

// MarshalText renders the duration as it would be written.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a duration, as [ParseDuration] does.
func (d *Duration) UnmarshalText(text []byte) error { return set(d, text, ParseDuration) }

// MarshalText renders the port as it would be written.
func (p Port) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads a port, as [ParsePort] does.
func (p *Port) UnmarshalText(text []byte) error { return set(p, text, ParsePort) }

func set[T any](into *T, text []byte, parse func(string) (T, error)) error {
	v, err := parse(string(text))
	if err == nil {
		*into = v
	}
	return err
}
