// Package doctor checks what a first run needs, and says what mends each thing that is wrong.
package doctor
