# Completions of keyward for PowerShell.
Register-ArgumentCompleter -Native -CommandName keyward -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $typed = @($commandAst.CommandElements | Where-Object { $_.Extent.StartOffset -lt $cursorPosition } | ForEach-Object {
        if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.Extent.Text }
    })
    if ($wordToComplete -eq '') { $typed += '' }
    $former = $OutputEncoding, [Console]::OutputEncoding
    try {
        $OutputEncoding = [Console]::OutputEncoding = [System.Text.UTF8Encoding]::new($false)
        # The words go over standard input: an argument can be seen by others. What is not piped as bytes ends in a line
        # break, which is cut off by the NUL before it.
        $lines = ($typed -join "`0") + "`0" | keyward __complete powershell ($typed.Count - 1) 2>$null
    } finally {
        $OutputEncoding, [Console]::OutputEncoding = $former
    }
    foreach ($line in $lines) {
        $value, $help = $line -split "`t", 2
        # Typographic quotes end a string as well.
        $quoted = if ($value -match '^[\w./,+:=-]+$') { $value } else {
            "'" + [System.Management.Automation.Language.CodeGeneration]::EscapeSingleQuotedStringContent($value) + "'"
        }
        if (-not $help) { $help = $value }
        [System.Management.Automation.CompletionResult]::new($quoted, $value, 'ParameterValue', $help)
    }
}
