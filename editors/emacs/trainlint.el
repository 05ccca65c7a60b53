;;; trainlint.el --- Check PyTorch training code with eglot -*- lexical-binding: t; -*-

;; Package-Requires: ((emacs "28.1") (eglot "1.9"))
;; Keywords: languages, tools

;;; Commentary:

;; (require 'trainlint) makes trainlint the server that eglot starts for Python files.  eglot runs one server for a
;; buffer; with another one beside it, use `trainlint check --output-format concise' as a checker of flymake or flycheck.

;;; Code:

(require 'eglot)

(defgroup trainlint nil
  "Checks PyTorch training code."
  :group 'tools)

(defcustom trainlint-command '("trainlint" "server")
  "The command that starts the language server."
  :type '(repeat string))

(add-to-list 'eglot-server-programs
             `((python-mode python-ts-mode) . ,(lambda (_interactive) trainlint-command)))

(defun trainlint-measure ()
  "Run one training step of the file in a process of its own and show its memory."
  (interactive)
  (let ((server (eglot-current-server))
        (argument (list :uri (plist-get (eglot--TextDocumentIdentifier) :uri) :line (1- (line-number-at-pos)))))
    (unless server (user-error "No server runs here: M-x eglot"))
    (jsonrpc-async-request server :workspace/executeCommand
                           (list :command "trainlint.measure" :arguments (vector argument))
                           :timeout 600
                           ;; the server shows the answer itself
                           :success-fn #'ignore
                           :error-fn (lambda (error) (message "trainlint: %s" (plist-get error :message))))))

(provide 'trainlint)
;;; trainlint.el ends here
