package e2e

import (
	"encoding/xml"
	"errors"
	"html"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/berthdev/berth/internal/giteatest"
)

const picture = "../../docs/pull-request.svg"

// TestPicture makes the pull request that the README's picture shows, merges it,
// and holds the texts of the picture to what the forge shows then.
func TestPicture(t *testing.T) {
	w := newForgeWorld(t, onGitea(giteatest.New(t)))
	w.publish(w.apps, "Publish 0.1.1 too", map[string]string{"hello-0.1.1/manifest.yaml": w.manifest("0.1.1")})
	john := w.publish(w.desired, "Run hello for John", map[string]string{"john.yaml": deployment("hello-john", "0.1.0")})
	w.awaitStatus(w.desiredRepo, john, "berth", "success: 1 of 1 running")

	pr := w.pull("jane", map[string]string{"john.yaml": deployment("hello-john", "^0.1"), "jane.yaml": deployment("hello-jane", "^0.1")})
	w.awaitStatus(w.desiredRepo, pr.head, "berth/plan", "success: +1")
	w.await("the plan stands below the pull request", func() bool { return len(w.desiredRepo.Comments(pr.number)) == 1 })
	comment := w.desiredRepo.Comments(pr.number)[0]
	want := append([]string{"Before the merge"}, shownStatuses(w, pr.head, "berth/plan")...)
	want = append(append(want, "berth-robot commented"), shownTexts(comment)...)

	merged := w.merge(pr)
	w.awaitStatus(w.desiredRepo, merged, "berth", "success: 2 of 2 running")
	want = append(append(want, "After the merge"), shownStatuses(w, merged, "berth", "berth/hello-jane", "berth/hello-john")...)
	for i := range want {
		want[i] = unvaried(want[i])
	}
	if got := pictureTexts(t); !slices.Equal(got, want) {
		t.Errorf("the picture says\n%s\nthe forge shows\n%s\nof the comment\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"), comment)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range shownStatuses(w, pr.head, "berth/plan")[1:] {
		if !strings.Contains(string(readme), text) {
			t.Errorf("the README does not tell what the picture shows: %q", text)
		}
	}
}

// shownStatuses returns what a forge shows of contexts of a commit: each, and what
// it says.
func shownStatuses(w *forgeWorld, commit string, contexts ...string) []string {
	w.t.Helper()
	var texts []string
	for _, context := range contexts {
		w.awaitStatus(w.desiredRepo, commit, context, "success: ")
		all := said(w.desiredRepo, commit, context)
		_, text, _ := strings.Cut(all[len(all)-1], ": ")
		texts = append(texts, context, text)
	}
	return texts
}

// invisible is what Markdown does not show: marks, tags, and the character that
// keeps references apart.
var invisible = regexp.MustCompile(`(?m)^### |^\|[-|]+\|$|<!--.*?-->|</?[a-z]+>|\*\*|\x{2060}`)

// shownTexts returns what a forge shows of a comment: each line, each cell of a
// table, without the details, which are folded.
func shownTexts(body string) []string {
	body = regexp.MustCompile(`(?s)<details><summary>(.*?)</summary>.*?</details>`).ReplaceAllString(body, "$1")
	var texts []string
	for line := range strings.Lines(invisible.ReplaceAllString(html.UnescapeString(invisible.ReplaceAllString(body, "")), "")) {
		for text := range strings.SplitSeq(line, " | ") {
			if text = strings.TrimSpace(strings.Trim(text, "| \n")); text != "" {
				texts = append(texts, text)
			}
		}
	}
	return texts
}

// pictureTexts returns the texts of the picture, in its order, without what
// differs from run to run.
func pictureTexts(t *testing.T) []string {
	t.Helper()
	file, err := os.Open(picture)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var texts []string
	d := xml.NewDecoder(file)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "text" {
			var text struct {
				Lines []string `xml:"tspan"`
				Line  string   `xml:",chardata"`
			}
			if err := d.DecodeElement(&text, &start); err != nil {
				t.Fatal(err)
			}
			whole := strings.Join(append(text.Lines, text.Line), " ")
			texts = append(texts, unvaried(strings.TrimSpace(whole)))
		}
	}
}
