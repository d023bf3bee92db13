package api

import "strings"

// operationKind returns what an operation of a document is: query, mutation or
// subscription; empty when the document does not say, which is then told when it
// is carried out. Over HTTP that must be known before. Only this is found out;
// whether the document is valid is not.
func operationKind(document, name string) string {
	var kinds []string
	s := operations{text: document}
	for s.next() {
		switch {
		case name != "" && s.name == name:
			return s.kind
		case name == "":
			kinds = append(kinds, s.kind)
		}
	}
	if len(kinds) != 1 {
		return ""
	}
	return kinds[0]
}

// operations finds the operations of a document: what stands before a brace that
// is within no other.
type operations struct {
	text       string
	kind, name string // of the operation that was found
}

func (s *operations) next() bool {
	for s.text != "" {
		words := s.definition()
		switch {
		case words == nil: // the end
		case len(words) == 0:
			s.kind, s.name = "query", ""
			return true
		case words[0] == "query" || words[0] == "mutation" || words[0] == "subscription":
			s.kind, s.name = words[0], ""
			if len(words) > 1 {
				s.name = words[1]
			}
			return true
		}
	}
	return false
}

// definition passes over a definition and returns the words before its brace;
// nil where the document ends.
func (s *operations) definition() []string {
	words, depth, braced := []string{}, 0, false
	for s.text != "" {
		switch c := s.text[0]; {
		case c == '#':
			s.skip(strings.IndexAny(s.text, "\r\n"))
		case c == '"':
			s.skipString()
		case c == '{' || c == '(' || c == '[':
			braced = braced || c == '{' && depth == 0
			depth++
			s.skip(1)
		case c == '}' || c == ')' || c == ']':
			depth--
			s.skip(1)
			if depth <= 0 && braced {
				return words
			}
		case c == '@':
			s.skip(1)
			s.word()
		case isName(c):
			if word := s.word(); depth == 0 {
				words = append(words, word)
			}
		default:
			s.skip(1)
		}
	}
	if braced {
		return words
	}
	return nil
}

// skip passes over n bytes, or over all where n is negative.
func (s *operations) skip(n int) {
	if n < 0 {
		n = len(s.text)
	}
	s.text = s.text[n:]
}

func (s *operations) skipString() {
	if strings.HasPrefix(s.text, `"""`) {
		s.skipBlock()
		return
	}
	for i := 1; i < len(s.text); i++ {
		switch s.text[i] {
		case '"', '\n':
			s.skip(i + 1)
			return
		case '\\':
			i++
		}
	}
	s.skip(-1)
}

func (s *operations) skipBlock() {
	for i := 3; i < len(s.text); i++ {
		switch {
		case strings.HasPrefix(s.text[i:], `\"""`):
			i += 3
		case strings.HasPrefix(s.text[i:], `"""`):
			s.skip(i + 3)
			return
		}
	}
	s.skip(-1)
}

// word takes a name.
func (s *operations) word() string {
	n := 0
	for n < len(s.text) && isName(s.text[n]) {
		n++
	}
	word := s.text[:n]
	s.text = s.text[n:]
	return word
}

func isName(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// aliases returns how long the longest name is that a document gives to each
// field by another name.
func aliases(document string) map[string]int {
	longest := map[string]int{}
	s := operations{text: document}
	alias, named, within := "", false, 0 // named: a colon stands after the alias
	for s.text != "" {
		switch c := s.text[0]; {
		case c == '#':
			s.skip(strings.IndexAny(s.text, "\r\n"))
		case c == '"':
			s.skipString()
		case isName(c):
			word := s.word()
			if named && within == 0 {
				longest[word] = max(longest[word], len(alias))
			}
			alias, named = word, false
		default:
			switch c {
			case '(':
				within++ // what has a colon there is an argument
			case ')':
				within--
				named = false
			case ':':
				named = true
			}
			s.skip(1)
		}
	}
	return longest
}
