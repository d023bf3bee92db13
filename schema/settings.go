package schema

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// A Setting is a field of the configuration that an environment variable or a
// flag can set: one value, not a list.
type Setting struct {
	Key     string // in the configuration file, with dots: desired.url
	Env     string // BERTH_DESIRED_URL
	Flag    string // desired-url, without the hyphens before it
	Type    string // text, number, bool or duration
	Default string // what holds where it is not set; may be words
	Doc     string
	Values  []string // the values that it may take; none: any
}

// Settings lists all settings, in the order of the configuration.
func Settings() []Setting {
	var all []Setting
	eachSetting(reflect.TypeFor[Config](), "", func(key string, f *field) {
		all = append(all, Setting{
			Key: key, Env: "BERTH_" + strings.ToUpper(separated(key, '_')), Flag: separated(key, '-'),
			Type: settingType(f.typ), Default: f.def, Doc: f.doc, Values: f.enum,
		})
	})
	return all
}

// Set sets the field that name means, as its key, its environment variable or
// its flag (with or without the hyphens), from text. It does not validate the
// configuration as a whole.
func (c *Config) Set(name, value string) error {
	for _, s := range Settings() {
		if name != s.Key && name != s.Env && strings.TrimLeft(name, "-") != s.Flag {
			continue
		}
		if message := c.setKey(s.Key, value); message != "" {
			return fmt.Errorf("%s: %s", name, message)
		}
		return nil
	}
	return fmt.Errorf("%s: there is no such setting", quote(name))
}

// setKey sets a field by its dotted key. It returns what is wrong with the value.
func (c *Config) setKey(key, value string) (message string) {
	v := reflect.ValueOf(c).Elem()
	var f *field
	for part := range strings.SplitSeq(key, ".") {
		s := shapes()[v.Type()]
		f = &s.fields[s.index[part]]
		v = v.FieldByIndex(f.at)
	}
	if strings.IndexByte(value, 0) >= 0 || len(value) > MaxScalar {
		return "is too long or holds a zero byte"
	}
	target := v
	if v.Kind() == reflect.Pointer {
		target = reflect.New(v.Type().Elem()).Elem()
	}
	err := setText(target, value, f)
	if err != nil {
		return err.Error()
	}
	if v.Kind() == reflect.Pointer {
		v.Set(target.Addr())
	}
	return ""
}

// setText sets v, a scalar or a quantity, from text.
func setText(v reflect.Value, text string, f *field) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	message, hint := setScalar(v, text, f)
	if message != "" {
		return errors.New(message + ": " + hint)
	}
	return nil
}

// eachSetting calls fn for each field of t and of the structs in it that holds
// one value.
func eachSetting(t reflect.Type, prefix string, fn func(key string, f *field)) {
	s := shapes()[t]
	for i := range s.fields {
		f := &s.fields[i]
		switch base := deref(f.typ); {
		case shapes()[base] != nil && f.typ.Kind() == reflect.Struct:
			eachSetting(base, prefix+f.key+".", fn)
		case isText(base), base.Kind() != reflect.Slice && base.Kind() != reflect.Map && base.Kind() != reflect.Struct:
			fn(prefix+f.key, f)
		}
	}
}

func settingType(t reflect.Type) string {
	switch t = deref(t); {
	case t == reflect.TypeFor[Duration]():
		return "duration"
	case t.Kind() == reflect.Bool:
		return "bool"
	case t.Kind() == reflect.String || isText(t):
		return "text"
	default:
		return "number"
	}
}

// separated writes a key such as desired.dataDir in lower case with sep where
// its words meet.
func separated(key string, sep rune) string {
	var b strings.Builder
	for _, r := range key {
		switch {
		case r == '.':
			b.WriteRune(sep)
		case unicode.IsUpper(r):
			b.WriteRune(sep)
			b.WriteRune(unicode.ToLower(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
