// Imagetar writes an archive of a container image that holds nothing but one
// static executable, for engines that no registry reaches:
//
//	imagetar NAME EXECUTABLE >image.tar
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/berthdev/berth/internal/image"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: imagetar NAME EXECUTABLE >image.tar")
		os.Exit(2)
	}
	path := "/" + filepath.Base(os.Args[2])
	_, err := image.Write(os.Stdout, image.Spec{Name: os.Args[1], Executable: os.Args[2], Path: path, Entrypoint: []string{path}})
	if err != nil {
		fmt.Fprintln(os.Stderr, "imagetar:", err)
		os.Exit(1)
	}
}
