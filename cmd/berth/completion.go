package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// shells says for each shell how its completion is loaded: now, and from now on.
var shells = map[string]struct{ now, always string }{
	"bash":       {"source <(berth completion bash)", "berth completion bash > ~/.local/share/bash-completion/completions/berth"},
	"zsh":        {"source <(berth completion zsh)", `berth completion zsh > "${fpath[1]}/_berth"`},
	"fish":       {"berth completion fish | source", "berth completion fish > ~/.config/fish/completions/berth.fish"},
	"powershell": {"berth completion powershell | Out-String | Invoke-Expression", "berth completion powershell >> $PROFILE"},
}

// addCompletion adds the command "completion", which cobra makes, with help that
// reads as that of the others.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		cmd.Short = "Print a script that completes commands, flags and names in your shell"
		cmd.Long = `Print a script that makes your shell complete the command line: commands,
flags, and the names of what is there, as the running server tells them. A
server that does not answer within a second completes nothing.

Load it for this session, or put the line where your shell begins:

  bash         source <(berth completion bash)
  zsh          source <(berth completion zsh)
  fish         berth completion fish | source
  powershell   berth completion powershell | Out-String | Invoke-Expression

bash needs the package bash-completion; zsh needs "autoload -U compinit;
compinit" before. The help of each shell's command tells where to keep the
script for every session.`
		cmd.Use = "completion bash|zsh|fish|powershell"
		cmd.Args = noSuchCommand
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		cmd.Example = "  source <(berth completion bash)"
		for _, sub := range cmd.Commands() {
			describeShell(sub)
		}
	}
}

func describeShell(cmd *cobra.Command) {
	load, known := shells[cmd.Name()]
	if !known {
		return
	}
	cmd.Args = noArgs
	cmd.Short = "Print the script for " + cmd.Name()
	cmd.Long = fmt.Sprintf("Print the completion script for %s. Load it for this session:\n\n  %s\n\nor for every new one:\n\n  %s", cmd.Name(), load.now, load.always)
	if cmd.Name() == "bash" {
		cmd.Long += "\n\nIt needs the package bash-completion."
	}
	if cmd.Name() == "zsh" {
		cmd.Long += "\n\nCompletion itself must be on: autoload -U compinit; compinit."
	}
	if flag := cmd.Flags().Lookup("no-descriptions"); flag != nil {
		flag.Usage = strings.ReplaceAll(flag.Usage, "disable completion descriptions", "complete names only, without a word about each")
	}
}
