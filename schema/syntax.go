package schema

import (
	"errors"
	"strings"

	"go.yaml.in/yaml/v4"
)

// syntaxHints say what to do about the library's messages, by a part of them.
var syntaxHints = []struct{ part, hint string }{
	{"tab", "indent with spaces, not tabs"},
	{"cannot start any token", "put text that begins with @, `, % or a tab in quotes"},
	{"mapping values are not allowed", "put text that holds ': ' in quotes, or check the indentation"},
	{"did not find expected key", "check the indentation of this line and of those above"},
	{"did not find expected '-'", "check the indentation of this line and of those above"},
	{"block sequence entries are not allowed", "begin a list on a line of its own"},
	{"could not find expected ':'", "write it as key: value"},
	{"unexpected end of stream", "close the quote that is open"},
	{"unexpected document indicator", "close the quote that is open"},
	{"expected ',' or ']'", "close the list with ], or put a comma between its items"},
	{"expected ',' or '}'", "close the mapping with }, or put a comma between its items"},
	{"unknown anchor", "put text that begins with * in quotes"},
	{"alphabetic or numeric", "put text that begins with * or & in quotes"},
	{"expected node content", "give a value, or close what is open"},
	{"undefined tag handle", "put text that begins with ! in quotes"},
	{"tag", "put text that begins with ! in quotes"},
	{"escape", `in double quotes write \\ for a backslash, or use single quotes`},
	{"hexadecimal", `in double quotes write \\ for a backslash, or use single quotes`},
	{"comment without preceding whitespace", "put a space before #"},
	{"max depth", "nest less deep"},
}

// syntaxProblem tells of an error of the YAML library in a chunk.
func (c chunk) syntaxProblem(err error) Problem {
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		return Problem{Line: c.line + 1, Column: 1, Message: clip(err.Error())}
	}
	message := strings.TrimSuffix(e.Message, ".")
	if strings.HasPrefix(message, "unknown anchor") {
		message = "an alias (*) names an unknown anchor" // which may be a secret that lacks quotes
	}
	p := Problem{Message: "the YAML is not well-formed: " + message}
	mark := e.Mark
	line, column := c.position(len(c.text))
	if c.line+mark.Line >= line && e.ContextMark.Line > 0 {
		mark = e.ContextMark // what is open at the end was opened there
	}
	switch {
	case mark.Line == 0:
		p.Line, p.Column = c.position(mark.Index)
	case c.line+mark.Line > line: // the library ends a last line that is not ended
		p.Line, p.Column = line, column
	default:
		p.Line, p.Column = c.line+mark.Line, mark.Column
	}
	for _, h := range syntaxHints {
		if strings.Contains(message, h.part) {
			p.Hint = h.hint
			break
		}
	}
	return p
}
