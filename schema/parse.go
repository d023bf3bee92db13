package schema

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// ParseYAML reads a file of YAML documents and returns the root of each that is
// not empty, in their order, as a plain tree: aliases are resolved, merge keys
// (<<) are merged, and every key is a scalar that stands once in its mapping.
// Nodes carry their line and column in the file; what an alias stands for
// carries the position of its anchor. An alias shares the nodes of its anchor,
// so nodes must not be changed.
//
// A document whose syntax is wrong, or that is too large, is left out and told
// of; it stops no other document of the file. What is wrong in one place only is
// told of too, but its document is returned, so that whoever reads leniently
// loses that place alone: of a key that stands twice the last value, as other
// YAML readers take it, and both lists of one at the top; a character that YAML
// does not allow as U+FFFD; text that is too long as empty; and null in place of
// what is nested too deep or holds itself.
func ParseYAML(file string, data []byte) ([]*yaml.Node, Problems) {
	docs, problems := ParseDocuments(file, data)
	var roots []*yaml.Node
	for _, d := range docs {
		problems = append(problems, d.Problems...)
		if d.Root != nil {
			roots = append(roots, d.Root)
		}
	}
	problems.Sort()
	return roots, problems
}

// A Document is one YAML document of a file.
type Document struct {
	Root     *yaml.Node // nil when it cannot be read
	Problems Problems
	Damaged  bool // Root lacks something that stands there, as Problems tell
	chunk
}

// A chunk is the text of one document.
type chunk struct {
	text []byte
	line int // how many lines stand before it in the file
}

// ParseDocuments is [ParseYAML] with the problems of each document apart, for
// whoever must not use a document in which anything is wrong. The problems that
// it returns itself concern the whole file.
func ParseDocuments(file string, data []byte) ([]Document, Problems) {
	data, problem := checkFile(data)
	if problem != nil {
		problem.File = file
		return nil, Problems{*problem}
	}
	var docs []Document
	for i, c := range splitDocuments(data) {
		if i == MaxDocuments {
			return docs, Problems{{
				File: file, Line: c.line + 1, Column: 1,
				Message: fmt.Sprintf("the file has more than %d documents; the rest is not read", MaxDocuments),
				Hint:    "split the file",
			}}
		}
		docs = append(docs, c.parse(file)...)
	}
	return docs, nil
}

// checkFile checks what concerns the whole file and returns it without a byte
// order mark.
func checkFile(data []byte) ([]byte, *Problem) {
	switch {
	case len(data) > MaxFileSize:
		return nil, &Problem{
			Message: fmt.Sprintf("the file is larger than %s", Bytes(MaxFileSize)),
			Hint:    "split the file",
		}
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return nil, &Problem{Line: 1, Column: 1, Message: "the file is written in UTF-16", Hint: "save it as UTF-8"}
	}
	return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), nil
}

// maxNesting is how deep the library may read. What is deeper than [MaxDepth]
// is cut off later, without the rest of its document.
const maxNesting = 16 * MaxDepth

// parse reads the documents of a chunk; it is one, unless the library sees a
// line break where splitDocuments sees none.
func (c chunk) parse(file string) []Document {
	if c.tooMany() {
		p := tooManyNodes
		p.File, p.Line, p.Column = file, c.line+1, 1
		return []Document{{chunk: c, Problems: Problems{p}}}
	}
	text, told := c.readable()
	for i := range told {
		told[i].File = file
	}
	docs, err := c.load(file, text, told)
	if err != nil && strings.Contains(err.Error(), "Unicode character escape") {
		if joined := joinSurrogates(text); !bytes.Equal(joined, text) {
			docs, err = c.load(file, joined, told)
		}
	}
	if err != nil {
		p := c.syntaxProblem(err)
		p.File = file
		docs = append(docs, Document{chunk: c, Problems: append(told, p)})
	}
	return docs
}

// load has the library read the documents in the text of a chunk, up to the
// first error. The problems that were told of the text join those of the first.
func (c chunk) load(file string, text []byte, told Problems) ([]Document, error) {
	loader, err := yaml.NewLoader(bytes.NewReader(withoutVersion(text)),
		yaml.WithV4Defaults(), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxNesting))))
	if err != nil {
		return nil, err
	}
	var docs []Document
	for {
		var root yaml.Node
		err := load(loader, &root)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return docs, err
		}
		if len(root.Content) == 0 || isEmpty(root.Content[0]) {
			continue
		}
		n := normalizer{file: file, line: c.line, problems: told, damaged: len(told) > 0}
		content, problems := n.document(root.Content[0])
		docs = append(docs, Document{chunk: c, Root: content, Problems: problems, Damaged: n.damaged})
		told = nil
	}
}

// isEmpty tells whether a document holds nothing but comments.
func isEmpty(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == nullTag && n.Value == "" && n.Anchor == ""
}

// load reads the next document. The library panics where it finds itself
// wrong; that must not end the process.
func load(loader *yaml.Loader, into *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the YAML library cannot read it: %v", r)
		}
	}()
	return loader.Load(into)
}

// tooMany tells whether the text would become more nodes than can be held.
func (c chunk) tooMany() bool {
	separators := 0
	for _, b := range c.text {
		switch b {
		case '\n', ',', ':', '-', '[', '{', '?':
			separators++
		}
	}
	return separators > MaxNodes
}

// readable returns the text with U+FFFD in place of each byte that YAML does not
// allow, and tells of the first of each line.
func (c chunk) readable() ([]byte, Problems) {
	var out []byte // nil as long as it is the same
	var told Problems
	from, lastLine := 0, 0
	for i := 0; i < len(c.text); {
		b, size, message, hint := c.text[i], 1, "", ""
		switch {
		case b >= 0x20 && b < utf8.RuneSelf || b == '\t' || b == '\r' || b == '\n':
		case b < 0x20:
			message = fmt.Sprintf("the control character %#02x is not allowed", b)
			hint = "remove it; in double quotes it can be written as an escape"
		default:
			var r rune
			if r, size = utf8.DecodeRune(c.text[i:]); r == utf8.RuneError && size == 1 {
				message, hint = "the text is not UTF-8", "save the file as UTF-8"
			}
		}
		if message != "" {
			if len(told) <= MaxProblems {
				if p := c.problemAt(i, message, hint); p.Line != lastLine {
					told, lastLine = append(told, *p), p.Line
				}
			}
			out = utf8.AppendRune(append(out, c.text[from:i]...), utf8.RuneError)
			from = i + size
		}
		i += size
	}
	if out == nil {
		return c.text, nil
	}
	return append(out, c.text[from:]...), told
}

// surrogates are two escapes that stand for one character, as JSON writes those
// beyond U+FFFF, or one that stands alone.
var surrogates = regexp.MustCompile(`\\+u[dD][89aAbB][0-9a-fA-F]{2}(\\u[dD][c-fC-F][0-9a-fA-F]{2})?|\\+u[dD][c-fC-F][0-9a-fA-F]{2}`)

// joinSurrogates writes surrogates as YAML does, which knows no halves.
func joinSurrogates(text []byte) []byte {
	return surrogates.ReplaceAllFunc(text, func(escape []byte) []byte {
		slashes := bytes.IndexByte(escape, 'u')
		if slashes%2 == 0 {
			return escape // the last backslash is itself escaped
		}
		code := func(at int) rune {
			n, _ := strconv.ParseUint(string(escape[at:at+4]), 16, 16)
			return rune(n)
		}
		r := rune(utf8.RuneError)
		if second := slashes + 7; second+4 <= len(escape) {
			r = utf16.DecodeRune(code(slashes+1), code(second))
		}
		return fmt.Appendf(bytes.Clone(escape[:slashes]), "U%08x", r)
	})
}

// problemAt makes a problem of the byte at offset.
func (c chunk) problemAt(offset int, message, hint string) *Problem {
	line, column := c.position(offset)
	return &Problem{Line: line, Column: column, Message: message, Hint: hint}
}

// position returns where in the file the byte at offset stands.
func (c chunk) position(offset int) (line, column int) {
	offset = min(offset, len(c.text))
	line, start := c.line+1, 0
	for {
		n := lineLength(c.text[start:])
		ended := n > 0 && strings.IndexByte("\r\n", c.text[start+n-1]) >= 0
		if start+n > offset || !ended {
			return line, utf8.RuneCount(c.text[start:offset]) + 1
		}
		line, start = line+1, start+n
	}
}

// lineLength returns the length of the first line of text, its line break included.
func lineLength(text []byte) int {
	i := bytes.IndexAny(text, "\r\n")
	switch {
	case i < 0:
		return len(text)
	case text[i] == '\r' && i+1 < len(text) && text[i+1] == '\n':
		return i + 2
	default:
		return i + 1
	}
}

// splitDocuments cuts a file where documents begin, so that each is parsed
// alone: before a line "---", and after a line "...". YAML allows neither at
// the start of a line inside a document, not even in quotes. Directives and
// comments before "---" belong to the document that it opens.
func splitDocuments(data []byte) []chunk {
	var chunks []chunk
	start, startLine := 0, 0 // of the chunk
	body := false            // whether the chunk has anything but directives and comments
	cut := func(at, line int) {
		if body {
			chunks = append(chunks, chunk{text: data[start:at], line: startLine})
			start, startLine, body = at, line, false
		}
	}
	line := 0
	for at := 0; at < len(data); line++ {
		text := data[at : at+lineLength(data[at:])]
		next := at + len(text)
		switch {
		case isMarker(text, "---"):
			cut(at, line)
			body = true
		case isMarker(text, "..."):
			cut(next, line+1)
		case !body:
			body = !isPreamble(text)
		}
		at = next
	}
	cut(len(data), line)
	return chunks
}

// withoutVersion makes a comment of a directive %YAML, for the library refuses
// every version but 1.1, and reads 1.2.
func withoutVersion(text []byte) []byte {
	for at := 0; at < len(text); {
		line := text[at : at+lineLength(text[at:])]
		if !isPreamble(line) {
			break
		}
		if bytes.HasPrefix(line, []byte("%YAML")) {
			text = bytes.Clone(text)
			text[at] = '#'
		}
		at += len(line)
	}
	return text
}

// isMarker tells whether a line begins with a document marker.
func isMarker(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(rest) == 0 || strings.IndexByte(" \t\r\n", rest[0]) >= 0)
}

// isPreamble tells whether a line may stand before the document that it belongs
// to: it is empty, a comment or a directive.
func isPreamble(line []byte) bool {
	text := bytes.TrimLeft(line, " \t\r\n")
	return len(text) == 0 || text[0] == '#' || line[0] == '%'
}
