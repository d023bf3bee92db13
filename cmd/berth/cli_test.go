package main

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/berthdev/berth/schema"
)

const cliPage = "../../docs/cli.md"

// TestCommandsPage holds docs/cli.md to the commands: what stands between its
// marks is made of them. "go test ./cmd/berth -update" rewrites it.
func TestCommandsPage(t *testing.T) {
	root := documentedRoot(t)
	text, err := os.ReadFile(cliPage)
	if err != nil {
		t.Fatal(err)
	}
	marks := regexp.MustCompile(`(?s)<!-- (index|commands|flags \S+) -->\n.*?<!-- end -->`)
	want := marks.ReplaceAllStringFunc(string(text), func(old string) string {
		what := marks.FindStringSubmatch(old)[1]
		return fmt.Sprintf("<!-- %s -->\n%s<!-- end -->", what, generated(t, root, what))
	})
	if want == string(text) {
		return
	}
	if !*update {
		t.Fatalf("%s is out of date: run go test ./cmd/berth -run TestCommandsPage -update", cliPage)
	}
	if err := os.WriteFile(cliPage, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestCommandsAreDocumented holds every command to what its page needs.
func TestCommandsAreDocumented(t *testing.T) {
	for _, cmd := range documented(documentedRoot(t)) {
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: its short description %q is missing, or ends with a full stop", cmd.CommandPath(), cmd.Short)
		}
		if cmd.Runnable() && cmd.Example == "" {
			t.Errorf("%s: it has no example", cmd.CommandPath())
		}
		for _, line := range strings.Split(cmd.Long, "\n") {
			if len(line) > 80 && !strings.HasPrefix(line, "  ") {
				t.Errorf("%s: a line of its description is longer than a terminal is wide: %q", cmd.CommandPath(), line)
			}
		}
	}
}

// TestSections holds every setting that stands in a part of the configuration to a
// name of that part.
func TestSections(t *testing.T) {
	for _, s := range schema.Settings() {
		if section, _, nested := strings.Cut(s.Key, "."); nested && sections[section] == "" {
			t.Errorf("%s: --%s is described without what it is about", s.Key, s.Flag)
		}
	}
}

// documentedRoot returns the commands as they are where no variable is set.
func documentedRoot(t *testing.T) *cobra.Command {
	for _, s := range schema.Settings() {
		unset(t, s.Env)
	}
	for _, name := range []string{"BERTH_CONFIG", "BERTH_SERVER", "BERTH_SERVER_TOKEN", "BERTH_SERVER_TOKEN_FILE", "BERTH_SERVER_CA_FILE"} {
		unset(t, name)
	}
	return newRoot(console{in: strings.NewReader(""), out: t.Output(), err: t.Output()})
}

func unset(t *testing.T, name string) {
	t.Setenv(name, "") // puts back what was there
	if err := os.Unsetenv(name); err != nil {
		t.Fatal(err)
	}
}

// documented lists the commands below cmd that people may see, in the order of names.
func documented(cmd *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, sub := range cmd.Commands() {
		if !sub.IsAvailableCommand() || sub.Name() == "help" {
			continue
		}
		all = append(all, sub)
		if sub.Name() != "completion" { // which tells of all shells itself
			all = append(all, documented(sub)...)
		}
	}
	return all
}

func generated(t *testing.T, root *cobra.Command, what string) string {
	t.Helper()
	var b strings.Builder
	group, isFlags := strings.CutPrefix(what, "flags ")
	switch {
	case isFlags:
		writeGroup(t, &b, root, group)
	case what == "index":
		b.WriteString("| command | does |\n|---|---|\n")
		for _, cmd := range documented(root) {
			if cmd.Parent() == root {
				fmt.Fprintf(&b, "| [berth %s](#%s) | %s |\n", cmd.Name(), anchor(cmd), cell(cmd.Short))
			}
		}
	default:
		b.WriteByte('\n')
		for _, cmd := range documented(root) {
			writeCommand(&b, root, cmd)
		}
	}
	return b.String()
}

// anchor is where a heading is found on the page.
func anchor(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

func writeCommand(b *strings.Builder, root, cmd *cobra.Command) {
	level := "###"
	if cmd.Parent() != root {
		level = "####"
	}
	fmt.Fprintf(b, "%s %s\n\n", level, cmd.CommandPath())
	fmt.Fprintf(b, "```\n%s\n```\n\n", cmd.UseLine())
	if len(cmd.Aliases) > 0 {
		fmt.Fprintf(b, "Also: `berth %s`.\n\n", strings.Join(cmd.Aliases, "`, `berth "))
	}
	b.WriteString(markdown(cmp.Or(cmd.Long, cmd.Short+".")) + "\n\n")
	if cmd.Example != "" {
		fmt.Fprintf(b, "```\n%s\n```\n\n", outdent(cmd.Example))
	}
	writeOwnFlags(b, cmd)
}

// writeOwnFlags writes the flags that are this command's alone, and where the
// others are described.
func writeOwnFlags(b *strings.Builder, cmd *cobra.Command) {
	var own []*pflag.Flag
	var groups []string
	seen := map[string]bool{}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		group := noteOf(f, noteGroup)
		switch {
		case f.Hidden || f.Name == "help":
		case group == "":
			own = append(own, f)
		case !seen[group]:
			seen[group] = true
			groups = append(groups, fmt.Sprintf("[%s flags](#%s-flags)", group, group))
		}
	})
	if len(own) > 0 {
		writeFlags(b, own)
		b.WriteByte('\n')
	}
	if len(groups) > 0 {
		fmt.Fprintf(b, "And the %s.\n\n", strings.Join(groups, " and the "))
	}
}

// writeGroup writes the flags of a group. It must be the same for all commands
// that have it.
func writeGroup(t *testing.T, b *strings.Builder, root *cobra.Command, group string) {
	t.Helper()
	var first string
	for _, cmd := range documented(root) {
		var flags []*pflag.Flag
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if noteOf(f, noteGroup) == group {
				flags = append(flags, f)
			}
		})
		if len(flags) == 0 {
			continue
		}
		var table strings.Builder
		writeFlags(&table, flags)
		if first != "" && table.String() != first {
			t.Errorf("the %s flags of %s differ from those of other commands:\n%s", group, cmd.CommandPath(), table.String())
		}
		first = table.String()
	}
	if first == "" {
		t.Errorf("no command has %s flags", group)
	}
	b.WriteString(first)
}

func writeFlags(b *strings.Builder, flags []*pflag.Flag) {
	withEnv := false
	for _, f := range flags {
		withEnv = withEnv || noteOf(f, noteEnv) != ""
	}
	if withEnv {
		b.WriteString("| flag | means | default | variable |\n|---|---|---|---|\n")
	} else {
		b.WriteString("| flag | means | default |\n|---|---|---|\n")
	}
	for _, f := range flags {
		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		usage, fallback := f.Usage, fallbackOf(f)
		usage = strings.TrimSuffix(usage, " (default "+fallback+")")
		if env := noteOf(f, noteEnv); env != "" { // it has a column of its own
			usage = regexp.MustCompile(` \([^()]*\b`+env+`\b[^()]*\)$`).ReplaceAllString(usage, "")
		}
		if before, after, found := strings.Cut(usage, ". Default: "); found {
			usage, fallback = before, after
		}
		fmt.Fprintf(b, "| %s | %s | %s |", name, cell(usage), cell(fallback))
		if env := noteOf(f, noteEnv); env != "" {
			fmt.Fprintf(b, " `%s` |", env)
		} else if withEnv {
			b.WriteString(" |")
		}
		b.WriteByte('\n')
	}
}

// fallbackOf returns what holds where a flag is not given; empty when that is nothing.
func fallbackOf(f *pflag.Flag) string {
	if said := noteOf(f, noteDefault); said != "" {
		return said
	}
	switch f.DefValue {
	case "false", "[]", "0s":
		return ""
	}
	return f.DefValue
}

func noteOf(f *pflag.Flag, key string) string {
	if values := f.Annotations[key]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// cell makes a text fit into a cell of a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// markdown renders a description: what is indented is shown as it stands.
func markdown(s string) string {
	var b strings.Builder
	inside := false
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		indented := strings.HasPrefix(line, "  ")
		if line == "" && inside && i+1 < len(lines) && strings.HasPrefix(lines[i+1], "  ") {
			indented = true // a gap in what is shown
		}
		if indented != inside {
			if indented && i > 0 && lines[i-1] != "" {
				b.WriteByte('\n')
			}
			b.WriteString("```\n")
			inside = indented
		}
		b.WriteString(strings.TrimPrefix(line, "  ") + "\n")
	}
	if inside {
		b.WriteString("```\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

// outdent removes the two spaces that examples begin with in the help.
func outdent(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}
