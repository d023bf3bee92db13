package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

type versionInfo struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func newVersion(c console) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this executable",
		Example: "  berth version\n  berth version -o json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			info := versionInfo{Version: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
			if output == "json" {
				return writeJSON(c.out, info)
			}
			fmt.Fprintf(c.out, "berth %s (%s, %s/%s)\n", info.Version, info.Go, info.OS, info.Arch)
			return nil
		},
	}
	outputFlag(cmd, &output, "text", "json")
	return cmd
}
