@echo off
rem Name=Server...
if exist "%~dp0..\..\.venv\Scripts\python.exe" (
    "%~dp0..\..\.venv\Scripts\python.exe" "%~dp0..\..\bin\afserver" %*
) else (
    python "%~dp0..\..\bin\afserver" %*
)
