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

func versionOf() versionInfo {
	return versionInfo{Version: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
}

func (v versionInfo) String() string {
	return fmt.Sprintf("berth %s (%s, %s/%s)", v.Version, v.Go, v.OS, v.Arch)
}

func newVersion(c console) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this executable",
		Example: "  berth version\n  berth version -o json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			info := versionOf()
			if output == "json" {
				return writeJSON(c.out, info)
			}
			fmt.Fprintln(c.out, info)
			return nil
		},
	}
	outputFlag(cmd, &output, "text", "json")
	return cmd
}
